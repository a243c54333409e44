// Asks the API server again and again: never twice at once, not while nobody looks, and slower while it does not answer.

const PATIENCE = 15_000;
const SLOWEST = 30_000;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const SAID = {
  401: "You are no longer logged in. Log in to Airflow again; this page goes on by itself.",
  403: "Your role in Airflow does not let you see this.",
};

export async function ask(path, parameters = {}) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) address.searchParams.append(name, one);
  }
  let answer;
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    answer = await fetch(address, { credentials: "same-origin", signal, headers: { Accept: "application/json" } });
  } catch {
    throw new Refused(0, "Airflow does not answer.");
  }
  if (answer.ok) return answer.json();
  let detail = "";
  try {
    detail = (await answer.json()).detail;
  } catch {
    // no JSON: a proxy's own page
  }
  const said = typeof detail === "string" && detail ? detail : `Airflow answered with status ${answer.status}.`;
  throw new Refused(answer.status, SAID[answer.status] ?? said);
}

// load: what to ask; show(data): shows it, and tells the milliseconds to the next time; fail(refused): shows that.
export function poll(load, show, fail) {
  let timer = 0;
  let failures = 0;
  let busy = false;

  async function again() {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    let pause;
    try {
      const data = await load();
      failures = 0;
      pause = show(data);
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      failures += 1;
      pause = Math.min(SLOWEST, 2_000 * 2 ** Math.min(failures, 4));
      fail(problem);
    } finally {
      busy = false;
    }
    timer = setTimeout(again, pause);
  }

  dispatchEvent(new Event("loaded")); // every module is here
  document.addEventListener("visibilitychange", again);
  again();
}
