"""Draw charts as inline SVG, in the page's colours and fonts: panels in rows, axes, titles, legends.

Each chart is drawn for wide and for narrow screens, so that its text has the page's size on both.
Equal data give equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from meanface.results.report.shapes import LETTER, Place, Range, Shape, Style, path, text

WIDE, NARROW = 907, 338
"""pixels of the page; all lengths here are in pixels"""

TITLE, LEGEND, TOP, RIGHT = 30, 22, 10, 18
"""above the axes: a title, a legend, neither; to their right: half of a tick's label"""
TICKS, LABEL, GAP = 24, 22, 8
"""labels of ticks below the axes; the label of an axis; between an axis and its labels"""
KEY = 22
"""a line or bar of the legend"""
BETWEEN_X, BETWEEN_Y = 80, 34
"""between ticks, at least"""

DECIMALS = 5
"""in the label of a tick; smaller numbers have an exponent"""

Ticks = Sequence[tuple[float, str]]
"""Places on an axis, with their labels"""


@dataclass(frozen=True)
class Chart:
    """A chart, as SVG for wide and for narrow screens."""

    wide: str
    narrow: str


@dataclass(frozen=True)
class Panel:
    """Axes and what is drawn in them. An axis without ticks of its own has some at round numbers."""

    x_label: str
    y_label: str
    across: Range
    upwards: Range
    shapes: Sequence[Shape]
    title: str = ""
    height: float | None = 190
    """of the axes; None: as high as wide, which needs own ticks upwards"""
    x_ticks: Ticks | None = None
    y_ticks: Ticks | None = None
    legend: Sequence[tuple[Style, str]] = ()
    """what the styles of shapes mean"""
    grid: bool = True

    @property
    def above(self) -> float:
        """Pixels above the axes."""
        return (TITLE * bool(self.title) + LEGEND * bool(self.legend)) or TOP

    @property
    def below(self) -> float:
        """Pixels below the axes."""
        return TICKS + LABEL * bool(self.x_label)

    @property
    def before(self) -> float:
        """Pixels to the left of the axes."""
        longest = max((len(label) for _, label in self.ticks_upwards()), default=2)
        return LABEL * bool(self.y_label) + LETTER * longest + GAP

    def ticks_upwards(self) -> Ticks:
        """Ticks of the vertical axis."""
        return self.y_ticks if self.y_ticks is not None else round_ticks(*self.upwards, (self.height or 0) / BETWEEN_Y)

    def place(self, left: float, top: float, width: float) -> Place:
        """Where the axes are, if this is their top left corner."""
        return Place(left, top, width, self.height or width, self.across, self.upwards)

    def svg(self, at: Place) -> str:
        """The panel with its axes there."""
        x_ticks = self.x_ticks if self.x_ticks is not None else round_ticks(*self.across, at.width / BETWEEN_X)
        y_ticks = self.ticks_upwards()
        parts = [path("".join(_grid(at, x_ticks, y_ticks)), "grid")] if self.grid else []
        parts += [shape(at) for shape in self.shapes]
        parts.append(path(f"M{at.left:.1f} {at.top:.1f}V{at.bottom:.1f}h{at.width:.1f}", "ink"))
        parts += [text(label, float(at.x(x)), at.bottom + 17, "middle") for x, label in x_ticks]
        parts += [text(label, at.left - GAP, float(at.y(y)) + 4, "end") for y, label in y_ticks]
        if self.x_label:
            parts.append(text(self.x_label, at.left + at.width / 2, at.bottom + TICKS + 15, "middle"))
        if self.y_label:
            parts.append(text(self.y_label, at.left - self.before + 13, at.top + at.height / 2, "middle", turned=True))
        if self.title:
            left = min(at.left, at.left + at.width - LETTER * len(self.title))
            parts.append(text(self.title, left, at.top - self.above + 18, "start", title=True))
        return "\n".join([*parts, *self._legend(at)])

    def _legend(self, at: Place) -> Iterator[str]:
        left, middle = at.left, at.top - LEGEND / 2
        for style, meaning in self.legend:
            box = f"m0 -4h{KEY}v8h-{KEY}z" if style == "bars" else f"h{KEY}"
            yield path(f"M{left:.1f} {middle - 1:.1f}{box}", style)
            yield text(meaning, left + KEY + 5, middle + 3, "start")
            left += KEY + 5 + LETTER * len(meaning) + 12


Draw = Callable[[bool], Sequence[Sequence[Panel]]]
"""Returns rows of panels; the argument tells whether the screen is narrow."""


def chart(description: str, draw: Draw, width: int = WIDE) -> Chart:
    """Draw a chart for wide and for narrow screens; the description is for screen readers."""
    return Chart(_svg(description, draw(False), width), _svg(description, draw(True), NARROW))


def _svg(description: str, rows: Sequence[Sequence[Panel]], width: int) -> str:
    """Draw panels in rows; the axes of a column begin at one place."""
    parts, height = [], 0.0
    share = width / max(map(len, rows))
    before = [max(panel.before for panel in column) for column in zip(*rows, strict=True)]
    for row in rows:
        top = height + max(panel.above for panel in row)
        places = [
            panel.place(column * share + left, top, share - left - RIGHT)
            for column, (panel, left) in enumerate(zip(row, before, strict=True))
        ]
        parts += [panel.svg(at) for panel, at in zip(row, places, strict=True)]
        height = max(at.bottom + panel.below for panel, at in zip(row, places, strict=True))
    head = f'<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(description)}">'
    return "\n".join([head, *parts, "</svg>"])


def _grid(at: Place, x_ticks: Ticks, y_ticks: Ticks) -> Iterator[str]:
    for x, _ in x_ticks:
        yield f"M{at.x(x):.1f} {at.bottom:.1f}V{at.top:.1f}"
    for y, _ in y_ticks:
        yield f"M{at.left:.1f} {at.y(y):.1f}h{at.width:.1f}"


def round_ticks(low: float, high: float, most: float) -> Ticks:
    """Multiples of 1, 2 or 5 times a power of ten from `low` to `high`: about `most`, at most one more.

    >>> [label for _, label in round_ticks(-0.26, 0.4, 5)]
    ['-0.2', '0.0', '0.2', '0.4']
    >>> [label for _, label in round_ticks(0, 12_000_000, 5)]
    ['0', '5,000,000', '10,000,000']
    >>> [label for _, label in round_ticks(0, 1e-8, 2)]
    ['0e+00', '5e-09', '1e-08']
    """
    least = (high - low) / max(most, 2)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= least * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    notation = f",.{decimals}f" if decimals <= DECIMALS else ".0e"
    return [(number * step, f"{number * step:{notation}}") for number in numbers]
