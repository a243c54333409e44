// Reload the page if a script or style fails to load, as when the network changes or the server
// restarts. This is a classic script and the first one, so that it sees every failure.
"use strict";
(() => {
  const TRIES = 5;
  const KEY = "meanface-loads";

  function reload(event) {
    if (!(event.target instanceof HTMLScriptElement || event.target instanceof HTMLLinkElement)) return;
    removeEventListener("error", reload, true);
    let tries = TRIES;
    try {
      tries = Number(sessionStorage.getItem(KEY) ?? 0) + 1;
      sessionStorage.setItem(KEY, String(tries));
    } catch {
      // storage is blocked: do not reload, but show the message below
    }
    if (tries < TRIES) setTimeout(() => location.reload(), 500 * tries);
    else document.getElementById("live").textContent = "Page not loaded: reload it";
  }

  addEventListener("error", reload, true);
  addEventListener("loaded", () => sessionStorage.removeItem(KEY));
})();
