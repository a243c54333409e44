"""Draw charts with Matplotlib as inline SVG, in the page's colours and fonts.

Each chart is drawn for wide and for narrow screens, so that its text has the page's size on both.
Equal data give equal bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = 12.6, 4.7
"""inches; one inch is 72 pixels of the page"""

TOP, RIGHT, BOTTOM = 0.4, 0.2, 0.6
"""inches around the axes: title; half a tick label; tick labels and axis label"""
LABEL, LETTER = 0.35, 0.105
"""inches to the left of the axes: axis label; each letter of the tick labels"""

INK, BAR, ACCENT, LINE = "#010101", "#010102", "#010103", "#010104"
"""placeholders for colours of the page's style"""

_CSS = {INK: "currentColor", BAR: "var(--bar)", ACCENT: "var(--accent)", LINE: "var(--line)"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.titlepad": 8,
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "grid.color": LINE,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True)
class Chart:
    """A chart, as SVG for wide and for narrow screens."""

    wide: str
    narrow: str


Draw = Callable[["Figure", bool], None]
"""Draws into an empty figure; the second argument tells whether it is narrow."""


def load_matplotlib() -> None:
    """Import what the charts need, which takes half a second."""
    import matplotlib.backends.backend_svg
    import matplotlib.collections
    import matplotlib.figure  # noqa: F401 - the import itself is the purpose


def bars(axes: Axes, places: NDArray[Any], heights: NDArray[Any], *, width: float = 0.8, label: str = "") -> None:
    """Draw bars as one collection; Matplotlib's own are one object each, and slow."""
    from matplotlib.collections import PolyCollection

    left, right = places - width / 2, places + width / 2
    zero = np.zeros_like(heights)
    corners = np.stack([[left, left, right, right], [zero, heights, heights, zero]], axis=-1).swapaxes(0, 1)
    axes.add_collection(PolyCollection(list(corners), facecolors=BAR, edgecolors="none", label=label))
    axes.autoscale_view()


def note(axes: Axes, text: str, place: tuple[float, float], *, ha: Literal["left", "right"] = "left", va: str) -> None:
    """Write a text beside a point of a chart."""
    gap = 5 if ha == "left" else -5
    axes.annotate(text, place, (gap, 0), textcoords="offset points", ha=ha, va=va, color=INK)


def chart(
    name: str, text: str, draw: Draw, heights: tuple[float, float], widths: tuple[float, float] = (WIDE, NARROW)
) -> Chart:
    """Draw a chart for wide and for narrow screens, of these heights and widths in inches.

    `name` is unique in a page; `text` is a description for screen readers.
    """
    wide, narrow = (
        _svg(f"{name}-{kind}", text, draw, (width, height), narrow=kind == "narrow")
        for kind, width, height in zip(("wide", "narrow"), widths, heights, strict=True)
    )
    return Chart(wide, narrow)


def _svg(name: str, text: str, draw: Draw, size: tuple[float, float], *, narrow: bool) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size)
        draw(figure, narrow)
        _place(figure, size)
        output = io.StringIO()
        FigureCanvasSVG(figure)
        figure.savefig(output, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(output.getvalue(), text)


def _place(figure: Figure, size: tuple[float, float]) -> None:
    """Leave room for text around the axes; Matplotlib's own layout would draw the figure twice."""
    first = figure.axes[0]
    ticks = (axes.yaxis.get_major_formatter().format_ticks(list(axes.get_yticks())) for axes in figure.axes)
    left = LABEL + LETTER * max(len(label) for labels in ticks for label in labels)
    above = TOP + BOTTOM if first.get_xlabel() else TOP + 0.1
    spec = first.get_subplotspec()
    rows, columns = spec.get_topmost_subplotspec().get_gridspec().get_geometry() if spec else (1, 1)
    width = (size[0] - RIGHT - columns * left) / columns
    height = (size[1] - TOP - BOTTOM - (rows - 1) * above) / rows
    figure.subplots_adjust(
        left=left / size[0],
        right=1 - RIGHT / size[0],
        top=1 - TOP / size[1],
        bottom=BOTTOM / size[1],
        wspace=left / width,
        hspace=above / height,
    )


def _inline(svg: str, text: str) -> str:
    """Make an SVG file inline: without prolog, fixed size and unused ids, in the page's colours."""
    size = re.search(r'viewBox="([^"]*)"', svg)
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<defs>") :], flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    body = re.sub(r"font-family: [^;\"]*", "font-family: inherit", body)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    for colour, css in _CSS.items():
        body = body.replace(colour, css)
    body = re.sub(r"\n\s*", "\n", body)
    box = size[1] if size else ""
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(text)}">\n{body}'
