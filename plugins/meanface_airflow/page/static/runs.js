// The page of all runs: a table that is kept up to date.

import { DAG, inAirflow } from "./airflow.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { count, day, duration, ended, failure, isFailure, outcomeName, outcomesOf, percent, rate } from "./format.js";
import { showError, showStatus } from "./notice.js";
import { poll, request } from "./poll.js";

const QUICK = 2_000;
const IDLE = 10_000;
const named = new URLSearchParams(location.search).get("dag");
const dag = named ?? DAG;
const rows = new Map();

function makeRow(run) {
  const part = {
    name: element("a", { class: "name", href: `run?${new URLSearchParams({ dag, run })}` }, run),
    dataset: element("span", { class: "dataset" }),
    reason: element("bdi"),
    state: element("span", { class: "badge" }),
    bar: element("progress", { max: 1, value: 0, "aria-label": `photos done of ${run}` }),
    photos: element("span", { class: "figure" }),
    rate: element("td", { class: "number" }),
    time: element("td", { class: "number" }),
    outcomes: element("td", { class: "outcomes" }),
  };
  part.row = element(
    "tr",
    {},
    element("th", { scope: "row" }, part.name, part.dataset),
    element("td", {}, part.state),
    element("td", { class: "photos" }, part.bar, part.photos),
    part.rate,
    part.time,
    part.outcomes,
  );
  part.why = element("tr", { class: "reason" }, element("td", { colspan: 6 }, part.reason));
  return part;
}

function withoutPhotos({ known }, over) {
  if (known === "unreadable") return "unreadable: another version, or damaged";
  return known === null ? (over ? "no records in Redis" : "listing the photos") : "–";
}

function fillRow(part, run, now) {
  const over = ended(run.state);
  setText(part.dataset, run.dataset ?? "");
  setAttribute(part.row, "data-why", run.failed.length ? "below" : null);
  setText(part.reason, run.failed.map((one) => failure(one).join(" ")).join(" "));
  setText(part.state, run.state);
  setAttribute(part.state, "data-state", run.state);
  setAttribute(part.row, "data-run", run.state);
  part.bar.hidden = !run.photos;
  if (run.photos) {
    setAttribute(part.bar, "max", run.photos);
    setAttribute(part.bar, "value", run.done);
    setText(part.photos, `${count(run.done)} of ${count(run.photos)} · ${percent(run.done, run.photos)}`);
  } else {
    setText(part.photos, withoutPhotos(run, over));
  }
  setAttribute(part.rate, "data-label", over || run.rate === undefined ? null : "photos/s");
  const took = run.started_at ? (run.ended_at ?? now) - run.started_at : null;
  setText(part.rate, over ? (run.photos && took ? `${rate(run.done / took)} mean` : "–") : rate(run.rate));
  setText(part.time, over ? `${duration(took)}, ${day(run.ended_at)}` : run.eta ? `${duration(run.eta)} left` : "–");
  const outcomes = outcomesOf(run.outcomes).map(([name, photos]) => [`${count(photos)} ${outcomeName(name)}`, isFailure(name)]);
  const line = outcomes.map(([words]) => words).join(" · ") || "–";
  if (part.outcomes.textContent === line) return;
  const nodes = outcomes.flatMap(([words, failure]) => [" · ", failure ? element("span", { class: "failure" }, words) : words]);
  part.outcomes.replaceChildren(...(nodes.length ? nodes.slice(1) : [line]));
}

const address = (one) => `./?${new URLSearchParams({ dag: one })}`;

// The DAGs to choose from, if there are several.
function showDags(dags, runs) {
  if (named === null && runs.length === 0 && dags.length && !dags.includes(dag)) location.replace(address(dags[0]));
  const wanted = dags.includes(dag) ? dags : [dag, ...dags];
  byId("dags").hidden = wanted.length < 2;
  const list = byId("dag");
  if (wanted.join("\n") === Array.from(list.options, (one) => one.value).join("\n")) return;
  list.replaceChildren(...wanted.map((one) => element("option", { value: one, selected: one === dag }, one)));
}

function show(data) {
  showDags(data.dags, data.runs);
  showStatus(data.now, data.away);
  byId("empty").hidden = data.runs.length > 0;
  byId("runs").hidden = data.runs.length === 0;
  const wanted = data.runs.flatMap((run) => {
    if (!rows.has(run.run)) rows.set(run.run, makeRow(run.run));
    const part = rows.get(run.run);
    fillRow(part, run, data.now);
    return run.failed.length ? [part.row, part.why] : [part.row];
  });
  const body = byId("rows");
  if (wanted.length !== body.children.length || wanted.some((row, place) => row !== body.children[place])) {
    body.replaceChildren(...wanted);
  }
  return data.runs.some((run) => !ended(run.state)) ? QUICK : IDLE;
}

byId("trigger").href = inAirflow("dags", dag);
byId("dag").addEventListener("change", () => location.assign(address(byId("dag").value)));
poll(() => request("api/runs", { dag_id: dag }), show, showError);
