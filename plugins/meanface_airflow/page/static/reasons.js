// Why tasks of a run failed: one sentence for each stage, with a link to the log.

import { logAddress, taskAddress } from "./airflow.js";
import { byId, element } from "./dom.js";
import { failure } from "./format.js";

export class Reasons {
  #dag;
  #run;
  #displayed = "";

  constructor(dag, run) {
    [this.#dag, this.#run] = [dag, run];
  }

  show({ failed }) {
    const reasons = JSON.stringify(failed);
    if (reasons === this.#displayed) return;
    this.#displayed = reasons;
    byId("reasons").replaceChildren(...failed.map((one) => this.#item(one)));
    byId("reasons").hidden = failed.length === 0;
  }

  #item(one) {
    const { stage, state, partition } = one;
    const address = partition === null ? taskAddress(this.#dag, this.#run, stage) : logAddress(this.#dag, this.#run, partition);
    const link = element("a", { href: address, "data-leave": "airflow", "aria-label": `log of ${stage}` }, "Log");
    const [what, why] = failure(one);
    return element("li", { class: "notice", "data-state": state }, element("b", {}, what), " ", element("bdi", {}, why), " ", link);
  }
}
