// uPlot charts in this page's colours; redrawn when the theme changes.

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const colour = (name) => style(`--${name}`);

function axis(options) {
  const line = colour("line");
  return {
    stroke: colour("muted"),
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    ...options,
  };
}

export class Chart {
  #box;
  #options;
  #data = null;
  #plot = null;

  // options(): uPlot's options without the size; `axes` has [horizontal, vertical] overrides.
  constructor(box, height, options) {
    this.#box = box;
    this.#options = () => {
      const chosen = options();
      return { ...chosen, width: Math.max(160, box.clientWidth), height, axes: chosen.axes.map(axis) };
    };
    new ResizeObserver(() => this.#plot?.setSize({ width: Math.max(160, box.clientWidth), height })).observe(box);
    addEventListener("themechange", () => {
      this.#plot?.destroy();
      this.#plot = null;
      this.#draw();
    });
  }

  show(data) {
    this.#data = data;
    this.#draw();
  }

  #draw() {
    if (!this.#data) return;
    if (this.#plot) this.#plot.setData(this.#data);
    else this.#plot = new globalThis.uPlot(this.#options(), this.#data, this.#box);
  }
}
