// The status line with the time of the data, and the notice with an error.

import { byId, setText } from "./dom.js";
import { clock } from "./format.js";

let last = null;

export function showStatus(now, away, message = "") {
  last = away ? last : now;
  byId("live").dataset.state = away ? "stale" : "live";
  setText(byId("live"), away ? (last ? `As of ${clock(last)}` : "No data yet") : `Live · ${clock(now)}`);
  showNotice(away ? `${away} The numbers of photos are not up to date; this page retries automatically.` : message);
}

export function showError(error) {
  byId("live").dataset.state = "stale";
  setText(byId("live"), last ? `As of ${clock(last)}` : "No data");
  showNotice(error.message);
}

export function showEnded(now) {
  last = now;
  byId("live").dataset.state = "ended";
  setText(byId("live"), `As of ${clock(now)}`);
}

export function showNotice(message) {
  setText(byId("notice"), message);
  byId("notice").hidden = !message;
}
