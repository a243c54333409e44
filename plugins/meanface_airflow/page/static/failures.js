// The failed photos, by outcome. Names are fetched for some partitions at a time, on request.

import { logAddress } from "./airflow.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { count, failed, isFailure, outcomeName, outcomesOf, plural } from "./format.js";
import { showError } from "./notice.js";
import { RequestError, request } from "./poll.js";

const MAX_PARTITIONS = 20; // per request; the server's limit
const ROWS = 100; // photos added at a time; a thousand take a browser a second

export class Failures {
  #dag;
  #run;
  #outcome = null;
  #data = null;
  #fetched = new Map(); // partition: its rows as texts, and how many more photos its record has
  #pending = []; // fetched, but not listed yet
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
    if (first || (this.#listed === 0 && this.#unfetched().length > 0)) this.#more();
    else this.#button();
  }

  #partitions() {
    return new Map(this.#data.partitions.map((one) => [one.index, one]));
  }

  // Partitions that may have more names of this outcome: those not fetched yet, and those that have
  // named more photos since.
  #unfetched() {
    const partitions = this.#partitions();
    return this.#data.failing.filter((index) => {
      const { outcomes = {}, named = 0 } = partitions.get(index) ?? {};
      const { rows, more } = this.#fetched.get(index) ?? {};
      const wanted = this.#outcome === null || failed(outcomes) === 0 || outcomes[this.#outcome] > 0;
      return wanted && (!rows || (more === 0 && named > rows.length));
    });
  }

  #list() {
    const next = this.#pending.splice(0, ROWS);
    this.#listed += next.length;
    byId("failure-rows").append(...next.map((failure) => this.#row(failure)));
    byId("failure-table").hidden = this.#listed === 0;
  }

  async #more() {
    if (this.#pending.length > 0) {
      this.#list();
      return this.#button();
    }
    const next = this.#unfetched().slice(0, MAX_PARTITIONS);
    if (this.#busy || next.length === 0) return this.#button();
    this.#busy = true;
    const wanted = this.#outcome;
    try {
      const response = await request("api/failures", { dag_id: this.#dag, run: this.#run, partition: next });
      if (wanted !== this.#outcome) return;
      const fresh = next.flatMap((index) => this.#merge(index, response));
      this.#pending = fresh.filter(([, , outcome]) => wanted === null || outcome === wanted);
      this.#list();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      showError(error);
    } finally {
      this.#busy = false;
      if (wanted !== this.#outcome) this.#more();
      else this.#button();
    }
  }

  // A partition's new rows of a response; another attempt may have them in another order.
  #merge(index, { failures, more }) {
    const known = this.#fetched.get(index)?.rows ?? [];
    const left = [...known];
    const fresh = failures.filter((row) => {
      if (row[0] !== index) return false;
      const place = left.indexOf(JSON.stringify(row));
      if (place >= 0) left.splice(place, 1);
      return place < 0;
    });
    this.#fetched.set(index, { rows: [...known, ...fresh.map((row) => JSON.stringify(row))], more: more[index] ?? 0 });
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
    const left = this.#unfetched().length;
    byId("more-failures").hidden = left === 0 && this.#pending.length === 0;
    setText(byId("more-failures"), this.#pending.length ? "Show more" : `Show more, from ${plural(left, "partition")}`);
    this.#note(failed(this.#data.totals.outcomes));
  }

  #note(number) {
    const unnamed = this.#unnamed();
    const all = this.#outcome === null ? number : (this.#data.totals.outcomes[this.#outcome] ?? 0);
    const names = this.#data.failing.length > 0;
    const rest = unnamed ? ` Each partition lists only its first 50 here; ${count(unnamed)} more are in failures.csv.` : "";
    const listed = `${count(this.#listed)} of ${plural(all, "failed photo")} listed.${rest}`;
    setText(byId("failures-note"), names ? listed : `${plural(all, "photo")} failed. Their names are in the run's failures.csv.`);
  }

  #unnamed() {
    const partitions = this.#partitions();
    const full = [...this.#fetched].filter(([, { more }]) => more > 0);
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
      setText(chip.firstChild, count(number));
    }
  }

  #choose(name) {
    this.#outcome = this.#outcome === name ? null : name;
    for (const chip of byId("failure-outcomes").children) setAttribute(chip, "aria-pressed", chip.dataset.name === this.#outcome);
    this.#fetched.clear();
    [this.#pending, this.#listed] = [[], 0];
    byId("failure-rows").replaceChildren();
    this.#more();
  }
}
