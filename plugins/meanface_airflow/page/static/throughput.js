// Photos per second over time: estimated from the partitions' reports, and measured since the page
// was opened.

import { Chart, colour } from "./chart.js";
import { byId, setAttribute } from "./dom.js";
import { clock, ended, rate } from "./format.js";

const BUCKETS = 240;
const SPAN = 10; // seconds over which the rate is measured
const SAMPLES = 2 * BUCKETS; // the most that are kept

// [times, rates] from each partition's mean rate between its start and its last report.
export function estimate(partitions) {
  const known = partitions.filter((one) => one.rate && one.updated_at > one.started_at);
  if (known.length === 0) return [[], []];
  const first = Math.min(...known.map((one) => one.started_at));
  const last = Math.max(...known.map((one) => one.updated_at));
  const sums = new Array(Math.max(1, Math.min(BUCKETS, Math.floor(last - first)))).fill(0);
  const width = (last - first) / sums.length;
  for (const { started_at: start, updated_at: end, rate: speed } of known) {
    const from = Math.floor((start - first) / width);
    for (let place = from; place < sums.length && first + place * width < end; place += 1) {
      const low = first + place * width;
      sums[place] += (speed * Math.max(0, Math.min(end, low + width) - Math.max(start, low))) / width;
    }
  }
  return [sums.map((_, place) => first + (place + 0.5) * width), sums];
}

// [times, rates] from [time, photos done] samples. A rate is never negative: a failed attempt takes
// photos back.
export function measure(samples) {
  const times = [];
  const rates = [];
  for (let place = 1; place < samples.length; place += 1) {
    let before = place - 1;
    while (before > 0 && samples[place][0] - samples[before][0] < SPAN) before -= 1;
    const [time, done] = samples[place];
    const passed = time - samples[before][0];
    if (passed < SPAN / 2) continue;
    times.push(time);
    rates.push(Math.max(0, done - samples[before][1]) / passed);
  }
  return [times, rates];
}

// Drop every other sample of the older half when there are more than can be seen.
export function thin(samples) {
  if (samples.length <= SAMPLES) return samples;
  return samples.filter((_, place) => place % 2 === 0 || place >= SAMPLES / 2);
}

export class Throughput {
  #samples = [];
  #chart = null;

  show({ partitions, totals, run, now }) {
    const last = this.#samples.at(-1);
    if (!ended(run.state) && (!last || now > last[0])) this.#samples = thin([...this.#samples, [now, totals.done]]);
    const history = estimate(partitions);
    if (history[0].length === 0) return;
    byId("throughput").hidden = false;
    const lines = measure(this.#samples);
    const all = globalThis.uPlot.join([history, lines[0].length ? lines : [[history[0][0]], [null]]]);
    this.#chart ??= new Chart(byId("throughput-chart"), 200, options);
    this.#chart.show(all);
    const highest = rate(Math.max(...history[1]));
    setAttribute(byId("throughput-chart"), "aria-label", `Photos per second over time; ${rate(totals.rate)} in the last minute, ${highest} at most`);
  }
}

function options() {
  const label = (_, value) => (value === null || value === undefined ? "–" : rate(value));
  return {
    cursor: { y: false },
    axes: [{ space: 90, values: (_, ticks) => ticks.map(clock) }, { size: 48, values: (_, ticks) => ticks.map((tick) => String(tick)) }],
    scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
    series: [
      { label: "time", value: (_, time) => clock(time) },
      { label: "estimated", value: label, stroke: colour("estimated"), fill: colour("estimated-fill"), width: 1, spanGaps: true, points: { show: false } },
      { label: "measured", value: label, stroke: colour("accent"), width: 2, spanGaps: true, points: { show: false } },
    ],
  };
}
