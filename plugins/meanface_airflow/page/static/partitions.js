// A run's partitions as a grid or a table; a filter shows only those in one state.

import { byId, element, setAttribute, setText } from "./dom.js";
import { STATES, count } from "./format.js";
import { Grid } from "./grid.js";
import { Table } from "./table.js";

export class Partitions {
  #views;
  #chips = new Map();
  #only = null;
  #data = null;
  #table = false;

  constructor(dag, run) {
    this.#views = { grid: new Grid(dag, run), table: new Table(dag, run) };
    byId("as-grid").addEventListener("click", () => this.#switchView(false));
    byId("as-table").addEventListener("click", () => this.#switchView(true));
    for (const [state, name] of Object.entries(STATES)) {
      const number = element("b");
      const marker = element("i", { "data-state": state, "aria-hidden": "true" });
      const listener = { click: () => this.#filter(state) };
      const chip = element("button", { type: "button", "aria-pressed": "false", on: listener }, marker, number, ` ${name}`);
      this.#chips.set(state, { chip, number });
      byId("states").append(chip);
    }
  }

  show(data) {
    this.#data = data;
    byId("partitions").hidden = false;
    for (const [state, { chip, number }] of this.#chips) {
      setText(number, count(data.totals.states[state]));
      chip.hidden = data.totals.states[state] === 0 && state !== this.#only;
    }
    this.#draw();
  }

  #draw() {
    if (!this.#data) return;
    const { partitions } = this.#data;
    const only = this.#only;
    if (this.#table) this.#views.table.show(only ? partitions.filter((one) => one.state === only) : partitions);
    else this.#views.grid.show(partitions, only);
  }

  #switchView(table) {
    this.#table = table;
    setAttribute(byId("as-grid"), "aria-pressed", !table);
    setAttribute(byId("as-table"), "aria-pressed", table);
    byId("grid-view").hidden = table;
    byId("table-view").hidden = !table;
    this.#draw();
  }

  #filter(state) {
    this.#only = this.#only === state ? null : state;
    for (const [name, { chip }] of this.#chips) setAttribute(chip, "aria-pressed", name === this.#only);
    this.#draw();
  }
}
