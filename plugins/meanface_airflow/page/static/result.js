// The result: the number of faces, the mean as a chart and in numbers, and links to its files.

import { Chart, colour } from "./chart.js";
import { byId, element } from "./dom.js";
import { count, duration } from "./format.js";
import { showError } from "./notice.js";
import { RequestError, request } from "./poll.js";

const FIRST = 8;
const REPORT = "report.html";
const FACE = "mean_face.png";

// The beginning of a long value; the whole one is its title.
const short = (beginning, whole) => element("span", { title: whole }, beginning);

export class Result {
  #dag;
  #run;
  #fetched = null;

  constructor(dag, run) {
    [this.#dag, this.#run] = [dag, run];
  }

  // Fetch the result once, and again if the run ends again.
  async show(data, over) {
    const moment = `${data.stages.reduce}|${data.run.ended_at}`;
    if (data.stages.reduce !== "success" || this.#fetched === moment || (!over && this.#fetched)) return;
    this.#fetched = moment;
    try {
      this.#draw(await request("api/result", { dag_id: this.#dag, run: this.#run }));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (error.status === 403) return this.#showForbidden();
      this.#fetched = null;
      if (error.status !== 404) showError(error);
    }
  }

  // A reader who may not see the result may see everything else, so the message is here and not a
  // notice.
  #showForbidden() {
    const message = "Your role in Airflow does not permit you to see the result: it needs permission to read the DAG's XComs.";
    byId("result-body").replaceChildren(element("p", { class: "muted" }, message));
    byId("result").hidden = false;
  }

  #draw(result) {
    const facts = [
      ["faces", `${count(result.faces)} in ${count(result.photos_with_face)} of ${count(result.photos)} photos`],
      ["norm of the mean", short(result.norm.toFixed(6), String(result.norm))],
      ["fingerprint", short(result.fingerprint.slice(0, 12), result.fingerprint)],
      ["computing time", `${duration(result.timings.embed_seconds)} in total over all partitions`],
      ["files", result.location],
    ];
    const list = facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
    const chart = element("div", { class: "chart", role: "img", "aria-label": describe(result.mean) });
    const warnings = result.warnings.map((warning) => element("p", { class: "warning" }, warning));
    byId("result-body").replaceChildren(
      ...warnings,
      element("div", { class: "hero" }, this.#face(result), element("dl", { class: "facts" }, ...list)),
      ...result.account.map((sentence) => element("p", { class: "account muted" }, sentence)),
      element("figure", {}, chart, element("figcaption", {}, `The mean embedding: ${result.mean.length} components, unitless.`)),
      numbers(result, 0, FIRST, "First components of the mean"),
      element("details", {}, element("summary", {}, `All ${result.mean.length} components`), numbers(result, 0, result.mean.length, "Mean")),
      ...this.#withheld(result),
      element("p", { class: "links" }, ...this.#links(result.files)),
    );
    byId("result").hidden = false;
    new Chart(chart, 150, options).show([result.mean.map((_, place) => place), result.mean]);
  }

  // Where the files are if the page cannot link to them, and why it cannot.
  #withheld({ withheld, location }) {
    return withheld ? [element("p", { class: "muted" }, `The report and the other files are in ${location}. ${withheld}`)] : [];
  }

  #address(file) {
    return `files/${[this.#dag, this.#run].map(encodeURIComponent).join("/")}/${file}`;
  }

  #face(result) {
    if (!result.files.includes(FACE)) return null;
    const description = `The mean face: the mean of ${count(result.faces)} aligned faces, pixel by pixel`;
    return element("img", { class: "face", src: this.#address(FACE), alt: description, title: description, width: 150, height: 150 });
  }

  // The report first, then the downloads.
  #links(files) {
    return files
      .filter((file) => file !== FACE)
      .map((file) => {
        const properties = { class: file === REPORT ? "button" : null, href: this.#address(file), "data-leave": "tab", target: "_blank", rel: "noopener" };
        return element("a", properties, file === REPORT ? "Report" : file);
      });
  }
}

function describe(mean) {
  const edge = (value) => value.toFixed(3);
  return `Bar chart of ${mean.length} components between ${edge(Math.min(...mean))} and ${edge(Math.max(...mean))}`;
}

function numbers(result, from, to, caption) {
  const rows = result.mean.slice(from, to).map((value, place) => {
    const error = result.standard_error?.[from + place];
    return element(
      "li",
      {},
      element("span", { class: "place" }, String(from + place)),
      element("span", { class: "value" }, value.toFixed(6)),
      element("span", { class: "error" }, error === undefined ? "" : `± ${error.toFixed(6)}`),
    );
  });
  return element("ol", { class: "numbers", "aria-label": caption }, ...rows);
}

function options() {
  const bars = globalThis.uPlot.paths.bars({ size: [0.7, 12] });
  return {
    cursor: { y: false },
    legend: { show: true },
    scales: { x: { time: false, range: (_, first, last) => [first - 1, last + 1] } },
    axes: [{}, { size: 52, space: 18, values: (_, ticks) => ticks.map((tick) => tick.toFixed(1)) }],
    series: [
      { label: "component", value: (_, value) => value ?? "–" },
      { label: "mean", value: (_, value) => (value === null || value === undefined ? "–" : value.toFixed(6)), fill: colour("accent"), stroke: colour("accent"), width: 0, paths: bars, points: { show: false } },
    ],
  };
}
