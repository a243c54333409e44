// A page of which a part got lost on its way (the network changed, the server was restarted) loads itself again; classic,
// and first, so that it sees every part.
"use strict";
(() => {
  const TRIES = 5;
  const KEY = "meanface-loads";

  function lost(event) {
    if (!(event.target instanceof HTMLScriptElement || event.target instanceof HTMLLinkElement)) return;
    removeEventListener("error", lost, true);
    let tries = TRIES;
    try {
      tries = Number(sessionStorage.getItem(KEY) ?? 0) + 1;
      sessionStorage.setItem(KEY, String(tries));
    } catch {
      // storage is blocked: once it is told, and left to the reader
    }
    if (tries < TRIES) setTimeout(() => location.reload(), 500 * tries);
    else document.getElementById("live").textContent = "Not loaded; reload the page";
  }

  addEventListener("error", lost, true);
  addEventListener("loaded", () => sessionStorage.removeItem(KEY));
})();
