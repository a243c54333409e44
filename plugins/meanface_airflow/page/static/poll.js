// Poll the API server: one request at a time, none while the page is hidden, and with longer pauses
// while the server does not respond.

const TIMEOUT = 15_000;
const MAX_PAUSE = 30_000;

export class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const MESSAGES = {
  401: "You are no longer logged in. Log in to Airflow again; this page then continues automatically.",
  403: "Your role in Airflow does not permit you to see this.",
};

export async function request(path, parameters = {}) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) address.searchParams.append(name, one);
  }
  let response;
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    response = await fetch(address, { credentials: "same-origin", signal, headers: { Accept: "application/json" } });
  } catch {
    throw new RequestError(0, "Airflow does not respond.");
  }
  if (response.ok) return response.json();
  let detail = "";
  try {
    detail = (await response.json()).detail;
  } catch {
    // not JSON: the error page of a proxy
  }
  const message = typeof detail === "string" && detail ? detail : `Airflow responded with status ${response.status}.`;
  throw new RequestError(response.status, MESSAGES[response.status] ?? message);
}

// load() fetches data; show(data) displays it and returns the milliseconds until the next request;
// fail(error) displays an error.
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
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      failures += 1;
      pause = Math.min(MAX_PAUSE, 2_000 * 2 ** Math.min(failures, 4));
      fail(error);
    } finally {
      busy = false;
    }
    timer = setTimeout(again, pause);
  }

  dispatchEvent(new Event("loaded")); // all modules have been loaded
  document.addEventListener("visibilitychange", again);
  again();
}
