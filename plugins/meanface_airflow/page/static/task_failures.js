// Why tasks of a run failed: one sentence for each stage, with a link to the log.

import { logAddress, taskAddress } from "./airflow.js";
import { byId, element } from "./dom.js";
import { failure } from "./format.js";

export class TaskFailures {
  #dag;
  #run;
  #displayed = "";

  constructor(dag, run) {
    [this.#dag, this.#run] = [dag, run];
  }

  show({ failed }) {
    const failures = JSON.stringify(failed);
    if (failures === this.#displayed) return;
    this.#displayed = failures;
    byId("task-failures").replaceChildren(...failed.map((one) => this.#item(one)));
    byId("task-failures").hidden = failed.length === 0;
  }

  #item(one) {
    const { stage, state, partition } = one;
    const address = partition === null ? taskAddress(this.#dag, this.#run, stage) : logAddress(this.#dag, this.#run, partition);
    const link = element("a", { href: address, "data-leave": "airflow", "aria-label": `log of ${stage}` }, "Log");
    const [what, why] = failure(one);
    return element("li", { class: "notice", "data-state": state }, element("b", {}, what), " ", element("bdi", {}, why), " ", link);
  }
}
