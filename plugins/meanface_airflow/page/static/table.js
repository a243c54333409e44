// The partitions as a table, with the details that the grid shows for one partition at a time.

import { logAddress } from "./airflow.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { STATES, clock, count, failed, rate } from "./format.js";

export class Table {
  #address;
  #rows = new Map();

  constructor(dag, run) {
    this.#address = (partition) => logAddress(dag, run, partition);
  }

  show(partitions) {
    const wanted = partitions.map((one) => {
      if (!this.#rows.has(one.index)) this.#rows.set(one.index, this.#makeRow(one.index));
      const part = this.#rows.get(one.index);
      const failures = failed(one.outcomes);
      setText(part.state, STATES[one.state]);
      setAttribute(part.state, "data-state", one.state);
      setText(part.photos, `${count(one.done)} of ${count(one.photos)}${failures ? `, ${count(failures)} failed` : ""}`);
      setText(part.rate, rate(one.rate));
      setText(part.attempt, one.attempt ? String(one.attempt) : "–");
      setText(part.host, one.host || "–");
      setText(part.report, clock(one.updated_at));
      setAttribute(part.report, "title", one.message);
      return part.row;
    });
    const body = byId("partition-rows");
    if (wanted.length !== body.children.length || wanted.some((row, place) => row !== body.children[place])) {
      body.replaceChildren(...wanted);
    }
  }

  #makeRow(index) {
    const part = { state: element("span", { class: "badge" }) };
    for (const name of ["photos", "rate", "attempt"]) part[name] = element("td", { class: "number" });
    part.host = element("td", { class: "long" });
    part.report = element("td");
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
      part.report,
      element("td", {}, link),
    );
    return part;
  }
}
