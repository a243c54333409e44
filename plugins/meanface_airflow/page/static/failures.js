// The photos that failed, by outcome; names are fetched some partitions at a time, when somebody asks for more.

import { logAddress } from "./airflow.js";
import { attribute, byId, element, text } from "./dom.js";
import { count, failed, isFailure, outcomeName, outcomesOf, plural } from "./format.js";
import { problem } from "./notice.js";
import { Refused, ask } from "./poll.js";

const SLICE = 20; // partitions per question, as the server allows
const ROWS = 100; // photos listed at a time; a thousand take a browser a second

export class Failures {
  #dag;
  #run;
  #outcome = null;
  #data = null;
  #asked = new Map(); // partition: its rows that are known, as texts, and how many more photos its record does not name
  #held = []; // known, and not listed yet
  #listed = 0;
  #busy = false;

  constructor(dag, run) {
    [this.#dag, this.#run] = [dag, run];
    byId("more-failures").addEventListener("click", () => this.#more());
  }

  show(data) {
    const first = this.#data === null;
    this.#data = data;
    byId("failures").hidden = failed(data.totals.outcomes) === 0 && data.failing.length === 0;
    this.#chips(outcomesOf(data.totals.outcomes).filter(([name]) => isFailure(name)));
    if (first || (this.#listed === 0 && this.#open().length > 0)) this.#more();
    else this.#button();
  }

  #partitions() {
    return new Map(this.#data.partitions.map((one) => [one.index, one]));
  }

  // Partitions that may have names of this outcome that are not known here: those never asked for, and those that have
  // named more since.
  #open() {
    const partitions = this.#partitions();
    return this.#data.failing.filter((index) => {
      const { outcomes = {}, named = 0 } = partitions.get(index) ?? {};
      const { rows, more } = this.#asked.get(index) ?? {};
      const wanted = this.#outcome === null || failed(outcomes) === 0 || outcomes[this.#outcome] > 0;
      return wanted && (!rows || (more === 0 && named > rows.length));
    });
  }

  #list() {
    const some = this.#held.splice(0, ROWS);
    this.#listed += some.length;
    byId("failure-rows").append(...some.map((failure) => this.#row(failure)));
    byId("failure-table").hidden = this.#listed === 0;
  }

  async #more() {
    if (this.#held.length > 0) {
      this.#list();
      return this.#button();
    }
    const some = this.#open().slice(0, SLICE);
    if (this.#busy || some.length === 0) return this.#button();
    this.#busy = true;
    const wanted = this.#outcome;
    try {
      const answer = await ask("api/failures", { run: this.#run, partition: some });
      if (wanted !== this.#outcome) return;
      const fresh = some.flatMap((index) => this.#take(index, answer));
      this.#held = fresh.filter(([, , outcome]) => wanted === null || outcome === wanted);
      this.#list();
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      problem(refused);
    } finally {
      this.#busy = false;
      if (wanted !== this.#outcome) this.#more();
      else this.#button();
    }
  }

  // The rows of an answer that are new of a partition; another attempt may have them in another order.
  #take(index, { failures, more }) {
    const known = this.#asked.get(index)?.rows ?? [];
    const left = [...known];
    const fresh = failures.filter((row) => {
      if (row[0] !== index) return false;
      const place = left.indexOf(JSON.stringify(row));
      if (place >= 0) left.splice(place, 1);
      return place < 0;
    });
    this.#asked.set(index, { rows: [...known, ...fresh.map((row) => JSON.stringify(row))], more: more[index] ?? 0 });
    return fresh;
  }

  #row([partition, photo, outcome, detail]) {
    const address = logAddress(this.#dag, this.#run, partition);
    const link = element("a", { href: address, "data-leave": "airflow", "aria-label": `log of partition ${partition}` }, String(partition));
    return element(
      "tr",
      {},
      element("th", { scope: "row", class: "long" }, element("bdi", {}, photo)),
      element("td", {}, element("span", { class: "badge", "data-outcome": outcome }, outcomeName(outcome))),
      element("td", { class: "long" }, element("bdi", {}, detail)),
      element("td", { class: "number" }, link),
    );
  }

  #button() {
    const open = this.#open().length;
    byId("more-failures").hidden = open === 0 && this.#held.length === 0;
    text(byId("more-failures"), this.#held.length ? "Show more" : `Show more, from ${plural(open, "partition")}`);
    this.#note(failed(this.#data.totals.outcomes));
  }

  #note(number) {
    const unnamed = this.#unnamed();
    const all = this.#outcome === null ? number : (this.#data.totals.outcomes[this.#outcome] ?? 0);
    const names = this.#data.failing.length > 0;
    const rest = unnamed ? ` A partition keeps the names of its first 50 here; ${count(unnamed)} more are in failures.csv only.` : "";
    const said = `${count(this.#listed)} of ${plural(all, "failed photo")} listed.${rest}`;
    text(byId("failures-note"), names ? said : `${plural(all, "photo")} failed. Their names are in the run's failures.csv.`);
  }

  #unnamed() {
    const partitions = this.#partitions();
    const full = [...this.#asked].filter(([, { more }]) => more > 0);
    return full.reduce((sum, [index, { rows, more }]) => sum + Math.max(more, (partitions.get(index)?.named ?? 0) - rows.length), 0);
  }

  #chips(found) {
    const box = byId("failure-outcomes");
    for (const [name, number] of found) {
      let chip = [...box.children].find((one) => one.dataset.name === name);
      if (!chip) {
        const listener = { click: () => this.#choose(name) };
        const properties = { type: "button", "aria-pressed": "false", "data-name": name, on: listener };
        chip = element("button", properties, element("b"), ` ${outcomeName(name)}`);
        box.append(chip);
      }
      text(chip.firstChild, count(number));
    }
  }

  #choose(name) {
    this.#outcome = this.#outcome === name ? null : name;
    for (const chip of byId("failure-outcomes").children) attribute(chip, "aria-pressed", chip.dataset.name === this.#outcome);
    this.#asked.clear();
    [this.#held, this.#listed] = [[], 0];
    byId("failure-rows").replaceChildren();
    this.#more();
  }
}
