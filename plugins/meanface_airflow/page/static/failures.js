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
  #asked = new Set();
  #held = []; // known, and not listed yet
  #listed = 0;
  #unnamed = 0;
  #busy = false;

  constructor(dag, run) {
    [this.#dag, this.#run] = [dag, run];
    byId("more-failures").addEventListener("click", () => this.#more());
  }

  show(data) {
    const first = this.#data === null;
    this.#data = data;
    const number = failed(data.totals.outcomes);
    byId("failures").hidden = number === 0 && data.failing.length === 0;
    this.#chips(outcomesOf(data.totals.outcomes).filter(([name]) => isFailure(name)));
    this.#note(number);
    if (first || (this.#listed === 0 && this.#open().length > 0)) this.#more();
  }

  // Partitions that may have names of this outcome and have not been asked for.
  #open() {
    const states = new Map(this.#data.partitions.map((one) => [one.index, one.outcomes]));
    return this.#data.failing.filter((index) => {
      const outcomes = states.get(index) ?? {};
      const known = failed(outcomes) > 0;
      return !this.#asked.has(index) && (this.#outcome === null || !known || outcomes[this.#outcome] > 0);
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
      some.forEach((index) => this.#asked.add(index));
      this.#held = answer.failures.filter(([, , outcome]) => wanted === null || outcome === wanted);
      this.#unnamed += Object.values(answer.more).reduce((sum, one) => sum + one, 0);
      this.#list();
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      problem(refused);
    } finally {
      this.#busy = false;
      this.#button();
    }
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
    const all = this.#outcome === null ? number : (this.#data.totals.outcomes[this.#outcome] ?? 0);
    const names = this.#data.failing.length > 0;
    const rest = this.#unnamed ? ` A partition keeps the names of its first 50 here; ${count(this.#unnamed)} more are in failures.csv only.` : "";
    const said = `${count(this.#listed)} of ${plural(all, "failed photo")} listed.${rest}`;
    text(byId("failures-note"), names ? said : `${plural(all, "photo")} failed. Their names are in the run's failures.csv.`);
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
    [this.#held, this.#listed, this.#unnamed] = [[], 0, 0];
    byId("failure-rows").replaceChildren();
    this.#more();
  }
}
