// A grid with one cell per partition: the colour is its state, the filled part is its progress. The
// grid is one stop for the Tab key; arrow keys move inside it.

import { logAddress } from "./airflow.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { STATES, clock, count, failed, rate } from "./format.js";

const MAX_LARGE = 60; // cells with room for their rate
const MAX_MIDDLE = 260; // cells with room for their number

function label(one) {
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
    const facts = ["state", "photos", "photos/s", "attempt", "host", "last report", "message"];
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
      setAttribute(cell, "data-state", one.state);
      const name = label(one);
      setAttribute(cell, "aria-label", name);
      setAttribute(cell, "title", name);
      setAttribute(cell, "data-dim", only && only !== one.state ? "yes" : null);
      setAttribute(cell, "data-failures", failed(one.outcomes) > 0 ? "yes" : null);
      const share = one.photos ? `${Math.floor((100 * one.done) / one.photos)}%` : "0%";
      if (cell.style.getPropertyValue("--done") !== share) cell.style.setProperty("--done", share);
      if (cell.lastChild) setText(cell.lastChild, one.rate === null ? "" : rate(one.rate));
    });
    this.#describe();
  }

  #build(number) {
    const size = number <= MAX_LARGE ? "large" : number <= MAX_MIDDLE ? "middle" : "small";
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
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return; // a shortcut of the browser
    event.preventDefault();
    const place = Math.max(0, Math.min(this.#cells.length - 1, this.#chosen + steps[event.key]));
    this.#choose(place);
    this.#cells[place].focus();
  }

  #choose(place) {
    if (place === this.#chosen) return;
    this.#cells[this.#chosen].tabIndex = -1;
    setAttribute(this.#cells[this.#chosen], "aria-current", null);
    this.#chosen = place;
    this.#cells[place].tabIndex = 0;
    setAttribute(this.#cells[place], "aria-current", "true");
    this.#describe();
  }

  #describe() {
    const one = this.#partitions[this.#chosen];
    if (!one) return;
    const fill = (fact, value) => {
      setText(this.#details.get(fact), value);
      if (fact !== "title") this.#details.get(fact).parentElement.hidden = value === "";
    };
    setText(this.#details.get("title"), `Partition ${one.index}`);
    setAttribute(this.#details.get("log"), "href", this.#address(one.index));
    fill("state", STATES[one.state]);
    const failures = failed(one.outcomes);
    fill("photos", `${count(one.done)} of ${count(one.photos)}${failures ? `, ${count(failures)} failed` : ""}`);
    fill("photos/s", rate(one.rate));
    fill("attempt", one.attempt ? String(one.attempt) : "–");
    fill("host", one.host);
    fill("last report", one.updated_at ? clock(one.updated_at) : "none");
    fill("message", one.message ?? "");
  }
}
