// The partitions as a table: everything that the grid shows for one, for all of them at once.

import { logAddress } from "./airflow.js";
import { attribute, byId, element, text } from "./dom.js";
import { STATES, clock, count, failed, rate } from "./format.js";

export class Table {
  #address;
  #rows = new Map();

  constructor(dag, run) {
    this.#address = (partition) => logAddress(dag, run, partition);
  }

  show(partitions) {
    const wanted = partitions.map((one) => {
      if (!this.#rows.has(one.index)) this.#rows.set(one.index, this.#make(one.index));
      const part = this.#rows.get(one.index);
      const broken = failed(one.outcomes);
      text(part.state, STATES[one.state]);
      attribute(part.state, "data-state", one.state);
      text(part.photos, `${count(one.done)} of ${count(one.photos)}${broken ? `, ${count(broken)} failed` : ""}`);
      text(part.rate, rate(one.rate));
      text(part.attempt, one.attempt ? String(one.attempt) : "–");
      text(part.host, one.host || "–");
      text(part.news, clock(one.updated_at));
      attribute(part.news, "title", one.message);
      return part.row;
    });
    const body = byId("partition-rows");
    if (wanted.length !== body.children.length || wanted.some((row, place) => row !== body.children[place])) {
      body.replaceChildren(...wanted);
    }
  }

  #make(index) {
    const part = { state: element("span", { class: "badge" }) };
    for (const name of ["photos", "rate", "attempt"]) part[name] = element("td", { class: "number" });
    part.host = element("td", { class: "long" });
    part.news = element("td");
    const link = element("a", { href: this.#address(index), "data-leave": "airflow", "aria-label": `log of partition ${index}` }, "log");
    part.row = element(
      "tr",
      {},
      element("th", { scope: "row", class: "number" }, String(index)),
      element("td", {}, part.state),
      part.photos,
      part.rate,
      part.attempt,
      part.host,
      part.news,
      element("td", {}, link),
    );
    return part;
  }
}
