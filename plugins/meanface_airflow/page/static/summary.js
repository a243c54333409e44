// A run's stages, its progress, and the outcomes of its photos so far.

import { taskAddress } from "./airflow.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { count, day, duration, ended, isFailure, outcomeName, outcomesOf, percent, rate } from "./format.js";

const STAGES = [
  ["plan", "plan", "plan"],
  ["list_partitions", "list_partitions", "partitions"],
  ["embed", "embed", "embed"],
  ["reduce", "reduce", "reduce"],
  ["publish", "publish", "publish"],
];
const SPEAK_EVERY = 30; // seconds between two announcements to screen readers

function figure(label) {
  const name = element("dt", {}, label);
  const value = element("dd");
  const note = element("dd", { class: "note" });
  return { box: element("div", { class: "figure-box" }, name, value, note), name, value, note };
}

export class Summary {
  #dag;
  #run;
  #figures = { photos: figure("Photos"), rate: figure("Photos/s"), eta: figure("Time left"), took: figure("Time so far") };
  #bar = element("progress", { max: 1, value: 0, "aria-label": "photos done" });
  #stages = new Map();
  #outcomes = new Map();
  #spoken = 0;

  constructor(dag, run) {
    [this.#dag, this.#run] = [dag, run];
    this.#figures.photos.box.append(this.#bar);
    byId("figures").append(element("dl", {}, ...Object.values(this.#figures).map((one) => one.box)));
    for (const [task, key, name] of STAGES) {
      const state = element("span", { class: "stage-state" });
      const link = element("a", { href: taskAddress(dag, run, task), "data-leave": "airflow" }, name);
      const item = element("li", {}, link, state);
      this.#stages.set(key, { item, state });
      byId("stages").append(item);
    }
  }

  showRun(data) {
    byId("stages").hidden = false;
    const states = data.totals?.states;
    for (const [key, { item, state }] of this.#stages) {
      const current = key === "embed" ? embedState(states) : (data.stages[key] ?? "waiting");
      setAttribute(item, "data-state", current);
      const all = states ? Object.values(states).reduce((sum, one) => sum + one, 0) : 0;
      setText(state, key === "embed" && all ? `${count(states.committed)} of ${count(all)}` : current);
    }
    if (data.plan) setText(byId("dataset"), data.plan.dataset);
  }

  show(data) {
    const { totals, run, now } = data;
    const over = ended(run.state);
    byId("figures").hidden = byId("outcomes").hidden = false;
    const { photos, rate: speed, eta, took } = this.#figures;
    setText(photos.value, count(totals.done));
    setText(photos.note, `of ${count(totals.photos)} · ${percent(totals.done, totals.photos)}`);
    setAttribute(this.#bar, "max", totals.photos || 1);
    setAttribute(this.#bar, "value", totals.done);
    const span = totals.started_at === null ? null : (over ? totals.updated_at : now) - totals.started_at;
    const mean = span > 0 ? totals.done / span : null;
    setText(speed.value, rate(over ? mean : totals.rate));
    setText(speed.note, over ? "mean while embedding" : `last minute · ${rate(mean)} mean`);
    setText(eta.name, over ? "Ended" : "Time left");
    setText(eta.value, over ? run.state : duration(totals.eta));
    setText(eta.note, over ? day(run.ended_at) : remaining(totals));
    setText(took.name, over ? "Took" : "Time so far");
    setText(took.value, run.started_at ? duration((run.ended_at ?? now) - run.started_at) : "–");
    setText(took.note, span === null ? "" : `${duration(span)} of it embedding`);
    this.#showOutcomes(totals.outcomes, totals.photos);
    this.#speak(totals, over, run, now);
  }

  #showOutcomes(outcomes, photos) {
    const found = [...outcomesOf(outcomes)];
    const known = found.reduce((sum, [, number]) => sum + number, 0);
    if (known < photos) found.push(["", photos - known]);
    for (const [name, number] of found) {
      if (!this.#outcomes.has(name)) {
        const segment = element("span", { "data-outcome": name || "open" });
        const figures = element("b");
        const marker = element("i", { "data-outcome": name || "open", "aria-hidden": "true" });
        const item = element("li", { "data-failure": isFailure(name) && name ? "yes" : null }, marker, figures);
        item.append(` ${name ? outcomeName(name) : "not done"}`);
        this.#outcomes.set(name, { segment, figures, item });
      }
      const part = this.#outcomes.get(name);
      part.segment.style.flexGrow = String(number);
      setText(part.figures, count(number));
    }
    const parts = found.map(([name]) => this.#outcomes.get(name));
    for (const [id, key] of [["stack", "segment"], ["outcome-list", "item"]]) {
      const now = byId(id).children;
      if (now.length !== parts.length || parts.some((part, place) => part[key] !== now[place])) {
        byId(id).replaceChildren(...parts.map((part) => part[key]));
      }
    }
  }

  #speak(totals, over, run, now) {
    if (!over && now - this.#spoken < SPEAK_EVERY) return;
    this.#spoken = now;
    const left = totals.eta ? `, about ${duration(totals.eta)} left` : "";
    setText(byId("spoken"), `${count(totals.done)} of ${count(totals.photos)} photos done${over ? `, run ${run.state}` : left}`);
  }
}

function remaining(totals) {
  if (totals.done === totals.photos) return "embedding is finished";
  if (totals.eta) return "for embedding, at the last minute's rate";
  return totals.rate > 0 || totals.states.starting || totals.states.embedding ? "estimating" : "no progress";
}

function embedState(states) {
  if (!states) return "waiting";
  const some = (...names) => names.some((name) => states[name] > 0);
  if (some("failed")) return "failed";
  if (some("embedding", "silent", "starting", "retrying")) return "running";
  return some("waiting") ? (some("committed") ? "running" : "waiting") : "success";
}
