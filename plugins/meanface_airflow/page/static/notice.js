// The line that says how fresh the page is, and the notice of what is wrong.

import { byId, text } from "./dom.js";
import { clock } from "./format.js";

let last = null;

export function fresh(now, away, otherwise = "") {
  last = away ? last : now;
  byId("live").dataset.state = away ? "stale" : "live";
  text(byId("live"), away ? (last ? `As of ${clock(last)}` : "No data yet") : `Live · ${clock(now)}`);
  notice(away ? `${away} What is shown of photos is not current; the page tries again by itself.` : otherwise);
}

export function problem(refused) {
  byId("live").dataset.state = "stale";
  text(byId("live"), last ? `As of ${clock(last)}` : "No data");
  notice(refused.message);
}

export function settled(now) {
  last = now;
  byId("live").dataset.state = "settled";
  text(byId("live"), `As of ${clock(now)}`);
}

export function notice(message) {
  text(byId("notice"), message);
  byId("notice").hidden = !message;
}
