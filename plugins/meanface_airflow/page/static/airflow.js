// Links from this page to Airflow's own pages. Airflow shows this page in a sandboxed frame that
// can neither open windows nor navigate the outer window. So such links are opened from the outer
// window, which has the same origin.

const here = new URL(".", location.href);
const root = new URL("..", here);
const part = encodeURIComponent;

export const DAG = "meanface"; // where an address names none

const framed = window.parent !== window;

export const inAirflow = (...parts) => new URL(parts.map(part).join("/"), root).href;
export const runAddress = (dag, run) => inAirflow("dags", dag, "runs", run);
export const logAddress = (dag, run, partition) =>
  `${runAddress(dag, run)}/tasks/embed/mapped/${part(partition)}`;
export const taskAddress = (dag, run, task) => `${runAddress(dag, run)}/tasks/${part(task)}`;

// Links with `data-leave` open outside the frame: "airflow" in Airflow's window, "tab" in a new
// tab.
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!framed || !link || event.defaultPrevented) return;
  const newTab = event.type === "auxclick" || event.ctrlKey || event.metaKey || event.shiftKey;
  if (event.type === "auxclick" && event.button !== 1) return;
  if (!link.dataset.leave && !newTab) return;
  try {
    const outer = window.parent.document;
    const copy = outer.createElement("a");
    copy.href = link.href;
    if (newTab || link.dataset.leave === "tab") {
      copy.target = "_blank";
      copy.rel = "noopener";
    }
    outer.body.append(copy);
    copy.click();
    copy.remove();
    event.preventDefault();
  } catch {
    // framed by another origin: leave the link to the browser
  }
}

document.addEventListener("click", follow);
document.addEventListener("auxclick", follow);
