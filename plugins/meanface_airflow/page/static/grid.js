// One cell per partition: its colour is its state, its fill what is done. One stop for the Tab key; arrows move inside.

import { logAddress } from "./airflow.js";
import { attribute, byId, element, text } from "./dom.js";
import { STATES, clock, count, failed, rate } from "./format.js";

const LARGE = 60; // so many cells have room for their rate
const MIDDLE = 260; // so many have room for their number

function said(one) {
  const speed = one.rate === null ? "" : `, ${rate(one.rate)} photos per second`;
  const host = one.host ? `, on ${one.host}` : "";
  return `Partition ${one.index}: ${STATES[one.state]}, ${count(one.done)} of ${count(one.photos)} photos${speed}, attempt ${one.attempt}${host}`;
}

export class Grid {
  #address;
  #cells = [];
  #partitions = [];
  #chosen = 0;
  #details = new Map();

  constructor(dag, run) {
    this.#address = (partition) => logAddress(dag, run, partition);
    byId("cells").addEventListener("keydown", (event) => this.#move(event));
    for (const type of ["click", "focusin"]) {
      byId("cells").addEventListener(type, (event) => {
        const place = this.#cells.indexOf(event.target.closest?.("button"));
        if (place >= 0) this.#choose(place);
      });
    }
    const facts = ["state", "photos", "photos/s", "attempt", "host", "last news", "message"];
    for (const fact of facts) this.#details.set(fact, element("dd"));
    const list = facts.map((fact) => element("div", {}, element("dt", {}, fact), this.#details.get(fact)));
    this.#details.set("title", element("strong"));
    this.#details.set("log", element("a", { "data-leave": "airflow" }, "Task log"));
    byId("details").append(
      element("p", {}, this.#details.get("title"), this.#details.get("log")),
      element("dl", {}, ...list),
    );
  }

  show(partitions, only) {
    this.#partitions = partitions;
    if (this.#cells.length !== partitions.length) this.#build(partitions.length);
    partitions.forEach((one, place) => {
      const cell = this.#cells[place];
      attribute(cell, "data-state", one.state);
      const words = said(one);
      attribute(cell, "aria-label", words);
      attribute(cell, "title", words);
      attribute(cell, "data-dim", only && only !== one.state ? "yes" : null);
      attribute(cell, "data-failures", failed(one.outcomes) > 0 ? "yes" : null);
      const share = one.photos ? `${Math.floor((100 * one.done) / one.photos)}%` : "0%";
      if (cell.style.getPropertyValue("--done") !== share) cell.style.setProperty("--done", share);
      if (cell.lastChild) text(cell.lastChild, one.rate === null ? "" : rate(one.rate));
    });
    this.#describe();
  }

  #build(number) {
    const size = number <= LARGE ? "large" : number <= MIDDLE ? "middle" : "small";
    byId("cells").dataset.size = size;
    this.#cells = Array.from({ length: number }, (_, place) => {
      const cell = element("button", { type: "button", tabindex: place === 0 ? 0 : -1 });
      if (size !== "small") cell.append(element("b", {}, String(place)), element("span"));
      return cell;
    });
    byId("cells").replaceChildren(...this.#cells.map((cell) => element("li", {}, cell)));
    this.#chosen = 0;
  }

  #move(event) {
    const columns = getComputedStyle(byId("cells")).gridTemplateColumns.split(" ").length;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
    event.preventDefault();
    const place = Math.max(0, Math.min(this.#cells.length - 1, this.#chosen + steps[event.key]));
    this.#choose(place);
    this.#cells[place].focus();
  }

  #choose(place) {
    if (place === this.#chosen) return;
    this.#cells[this.#chosen].tabIndex = -1;
    attribute(this.#cells[this.#chosen], "aria-current", null);
    this.#chosen = place;
    this.#cells[place].tabIndex = 0;
    attribute(this.#cells[place], "aria-current", "true");
    this.#describe();
  }

  #describe() {
    const one = this.#partitions[this.#chosen];
    if (!one) return;
    const fill = (fact, value) => {
      text(this.#details.get(fact), value);
      if (fact !== "title") this.#details.get(fact).parentElement.hidden = value === "";
    };
    text(this.#details.get("title"), `Partition ${one.index}`);
    attribute(this.#details.get("log"), "href", this.#address(one.index));
    fill("state", STATES[one.state]);
    const broken = failed(one.outcomes);
    fill("photos", `${count(one.done)} of ${count(one.photos)}${broken ? `, ${count(broken)} failed` : ""}`);
    fill("photos/s", rate(one.rate));
    fill("attempt", one.attempt ? String(one.attempt) : "–");
    fill("host", one.host);
    fill("last news", one.updated_at ? clock(one.updated_at) : "none");
    fill("message", one.message ?? "");
  }
}
