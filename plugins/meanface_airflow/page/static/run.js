// The page of one run.

import { runAddress } from "./airflow.js";
import { byId, element, text } from "./dom.js";
import { ended } from "./format.js";
import { Failures } from "./failures.js";
import { fresh, notice, problem, settled } from "./notice.js";
import { Partitions } from "./partitions.js";
import { ask, poll } from "./poll.js";
import { Reasons } from "./reasons.js";
import { Result } from "./result.js";
import { Summary } from "./summary.js";
import { Throughput } from "./throughput.js";

const DAG = "meanface";
const QUICK = 2_000;
const IDLE = 30_000;
const parameters = new URLSearchParams(location.search);
const run = parameters.get("run") ?? "";
const views = {
  summary: new Summary(DAG, run),
  throughput: new Throughput(),
  partitions: new Partitions(DAG, run),
  failures: new Failures(DAG, run),
  reasons: new Reasons(DAG, run),
  result: new Result(run),
};
const MISSING = {
  expired: "Redis has nothing of this run any more: records expire 30 days after a run's last work. Its files stay in storage.",
  unreadable: "Redis has a plan of this run that this page cannot read: another version of meanface wrote it, or it is damaged.",
  unplanned: "This run ended before its photos were planned: there is nothing to show of them.",
};
const SECTIONS = ["figures", "outcomes", "throughput", "partitions", "failures"];

function show(data) {
  const over = ended(data.run.state);
  const known = data.missing === "unplanned" && data.failed.length > 0; // the reason says it
  const missing = known ? "" : (MISSING[data.missing] ?? "");
  if (over && !data.away) {
    settled(data.now);
    notice(missing);
  } else fresh(data.now, data.away, missing);
  views.summary.showRun(data);
  views.reasons.show(data);
  if (data.totals) {
    views.summary.show(data);
    views.throughput.show(data);
    views.partitions.show(data);
    views.failures.show(data);
  } else if (!data.away) {
    for (const id of SECTIONS) byId(id).hidden = true;
  }
  if (!data.away) views.result.show(data, over);
  return over && !data.away ? IDLE : QUICK;
}

function refused(what) {
  problem(what);
  if (what.status === 404) text(byId("name"), run);
}

if (parameters.has("tab")) {
  byId("crumb").hidden = true; // Airflow's own heading says what run it is
  byId("name").className = "unseen";
}
if (!run || (parameters.get("dag") ?? DAG) !== DAG) {
  text(byId("name"), "Not a run of the DAG meanface");
  text(byId("live"), "");
  notice("Mean face shows the runs of the DAG meanface only.");
} else {
  text(byId("name"), "");
  const address = runAddress(DAG, run);
  byId("name").append(element("a", { href: address, "data-leave": "airflow" }, run));
  document.title = `Mean face · ${run}`;
  poll(() => ask("api/run", { run }), show, refused);
}
