// Ways from this page into Airflow's own. Airflow shows the page in a sandboxed frame that may neither open a window nor
// leave its place, so a link there is followed by Airflow's own window, which is of the same origin.

const here = new URL(".", location.href);
const root = new URL("..", here);
const part = encodeURIComponent;

const framed = window.parent !== window;

export const inAirflow = (...parts) => new URL(parts.map(part).join("/"), root).href;
export const runAddress = (dag, run) => inAirflow("dags", dag, "runs", run);
export const logAddress = (dag, run, partition) =>
  `${runAddress(dag, run)}/tasks/embed/mapped/${part(partition)}`;
export const taskAddress = (dag, run, task) => `${runAddress(dag, run)}/tasks/${part(task)}`;

// Links with `data-leave` leave the page: "airflow" for Airflow's window, "tab" for a new one.
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!framed || !link || event.defaultPrevented) return;
  const aside = event.type === "auxclick" || event.ctrlKey || event.metaKey || event.shiftKey;
  if (event.type === "auxclick" && event.button !== 1) return;
  if (!link.dataset.leave && !aside) return;
  try {
    const outside = window.parent.document;
    const twin = outside.createElement("a");
    twin.href = link.href;
    if (aside || link.dataset.leave === "tab") {
      twin.target = "_blank";
      twin.rel = "noopener";
    }
    outside.body.append(twin);
    twin.click();
    twin.remove();
    event.preventDefault();
  } catch {
    // framed by another origin: the browser does what it can
  }
}

document.addEventListener("click", follow);
document.addEventListener("auxclick", follow);
