// The page of one run.

import { DAG, runAddress } from "./airflow.js";
import { byId, element, setText } from "./dom.js";
import { ended } from "./format.js";
import { Failures } from "./failures.js";
import { showEnded, showError, showNotice, showStatus } from "./notice.js";
import { Partitions } from "./partitions.js";
import { poll, request } from "./poll.js";
import { TaskFailures } from "./task_failures.js";
import { Result } from "./result.js";
import { Summary } from "./summary.js";
import { Throughput } from "./throughput.js";

const QUICK = 2_000;
const IDLE = 30_000;
const parameters = new URLSearchParams(location.search);
const dag = parameters.get("dag") ?? DAG;
const run = parameters.get("run") ?? "";
const views = {
  summary: new Summary(dag, run),
  throughput: new Throughput(),
  partitions: new Partitions(dag, run),
  failures: new Failures(dag, run),
  taskFailures: new TaskFailures(dag, run),
  result: new Result(dag, run),
};
const MISSING = {
  expired: "Redis has no records of this run any more: they expire 30 days after its last activity. Its files stay in storage.",
  unreadable: "This page cannot read the run's plan in Redis: another version of meanface wrote it, or it is damaged.",
  unplanned: "This run ended before its photos were listed, so there is no progress to show.",
};
const SECTIONS = ["figures", "outcomes", "throughput", "partitions", "failures"];

function show(data) {
  const over = ended(data.run.state);
  const known = data.missing === "unplanned" && data.failed.length > 0; // the task's reason explains it
  const missing = known ? "" : (MISSING[data.missing] ?? "");
  if (over && !data.away) {
    showEnded(data.now);
    showNotice(missing);
  } else showStatus(data.now, data.away, missing);
  views.summary.showRun(data);
  views.taskFailures.show(data);
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

function fail(error) {
  showError(error);
  if (error.status === 404) setText(byId("name"), run);
}

if (parameters.has("tab")) {
  byId("crumb").hidden = true; // Airflow's heading has the run's name
  byId("name").className = "visually-hidden";
}
byId("all").href = `./?${new URLSearchParams({ dag })}`;
if (!run) {
  setText(byId("name"), "No run");
  setText(byId("live"), "");
  showNotice("The address of this page names no run.");
} else {
  setText(byId("name"), "");
  const address = runAddress(dag, run);
  byId("name").append(element("a", { href: address, "data-leave": "airflow" }, run));
  document.title = `Mean face · ${run}`;
  poll(() => request("api/run", { dag_id: dag, run }), show, fail);
}
