// uPlot in this page's colours; drawn anew when the theme changes.

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const colour = (name) => style(`--${name}`);

function axis(more) {
  const line = colour("line");
  return {
    stroke: colour("muted"),
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    ...more,
  };
}

export class Chart {
  #box;
  #options;
  #data = null;
  #plot = null;

  // options(): uPlot's options without size, axes as [horizontal, vertical] of what differs from the page's own.
  constructor(box, height, options) {
    this.#box = box;
    this.#options = () => {
      const made = options();
      return { ...made, width: Math.max(160, box.clientWidth), height, axes: made.axes.map(axis) };
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
