// How the page writes numbers, times and states.

const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

export function rate(value) {
  if (value === null || value === undefined) return "–";
  return value >= 100 ? whole.format(Math.round(value)) : tenths.format(value);
}

export function percent(part, all) {
  if (!all) return "–";
  const share = (100 * part) / all; // 100 % only when all are done
  return `${part < all ? Math.min(99, Math.floor(share)) : 100} %`;
}

// 5 s, 3 min 20 s, 2 h 5 min, 3 d 4 h
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const all = Math.max(0, Math.round(seconds));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => all >= size);
  if (first < 0) return "0 s";
  let left = all;
  const parts = units.slice(first, first + 2).map(([unit, size]) => {
    const number = Math.floor(left / size);
    left -= number * size;
    return number ? `${number} ${unit}` : "";
  });
  return parts.filter(Boolean).join(" ");
}

const clockFormat = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
export const clock = (seconds) => (seconds ? clockFormat.format(seconds * 1000) : "–");
export const day = (seconds) => (seconds ? dayFormat.format(seconds * 1000) : "–");

export const ended = (state) => state === "success" || state === "failed";

// States of a partition, in the page's order, with their labels.
export const STATES = {
  committed: "done",
  embedding: "embedding",
  starting: "starting",
  silent: "no report for a minute",
  retrying: "waiting to retry",
  failed: "failed",
  waiting: "not started",
};

const OUTCOMES = {
  ok: "ok",
  no_face: "no face",
  several_faces: "several faces",
  undecodable: "undecodable",
  too_large: "too large",
  unreadable: "unreadable",
  crashed: "crashed",
};
export const outcomeName = (outcome) => OUTCOMES[outcome] ?? outcome;
const NOT_FAILURES = new Set(["ok", "no_face", "several_faces"]);
export const isFailure = (outcome) => !NOT_FAILURES.has(outcome);

// [name, photos] of the outcomes that occur, in the order above, unknown ones last.
export function outcomesOf(counts) {
  const order = Object.keys(OUTCOMES);
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.entries(counts ?? {})
    .filter(([, photos]) => photos > 0)
    .sort(([one], [other]) => place(one) - place(other) || (one < other ? -1 : 1));
}

export const failed = (counts) =>
  outcomesOf(counts).reduce((sum, [name, photos]) => sum + (isFailure(name) ? photos : 0), 0);

// [what failed, why] for the failed tasks of one stage.
export function failure({ stage, state, tasks, partition, reason }) {
  const where = partition === null ? "" : `, partition ${partition}${tasks > 1 ? ` and ${plural(tasks - 1, "other")}` : ""}`;
  const how = state === "failed" ? "failed" : "failed and will be retried";
  return [`${stage} ${how}${where}:`, reason ?? "no reason is recorded. Airflow or a user may have stopped the task; see its log."];
}
