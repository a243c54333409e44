"""What is drawn in the axes of a chart: functions from the axes' place on the screen to SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Style = Literal["ink", "data", "mark", "dashed", "bars", "dots", "grid"]
"""Classes of the page's style sheet; a line has the text's colour, the bars' or the accent's"""
Anchor = Literal["start", "middle", "end"]

LETTER, NOTE = 7.4, 5
"""pixels: a letter, on average; between a point and its note"""
Range = tuple[float, float]


@dataclass(frozen=True)
class Place:
    """Where axes are on the screen, in pixels from the top left, and their ranges."""

    left: float
    top: float
    width: float
    height: float
    across: Range
    upwards: Range

    @property
    def bottom(self) -> float:
        """Pixels from the top."""
        return self.top + self.height

    def x(self, values: ArrayLike) -> NDArray[np.float64]:
        """Pixels from the left."""
        low, high = self.across
        return self.left + self.width * (np.asarray(values) - low) / (high - low)

    def y(self, values: ArrayLike) -> NDArray[np.float64]:
        """Pixels from the top."""
        low, high = self.upwards
        return self.bottom - self.height * (np.asarray(values) - low) / (high - low)

    def points(self, x: ArrayLike, y: ArrayLike) -> list[str]:
        """Points in SVG's notation."""
        return [f"{a:.1f} {b:.1f}" for a, b in zip(self.x(x), self.y(y), strict=True)]


Shape = Callable[[Place], str]


def bars(places: NDArray[Any], heights: NDArray[Any], *, width: float = 0.8) -> Shape:
    """Bars from zero, `width` wide, around their places."""

    def svg(at: Place) -> str:
        sides = zip(at.x(places - width / 2), at.x(places + width / 2), at.y(heights), strict=True)
        zero = f"{at.y(0.0):.1f}"
        outlines = (f"M{left:.1f} {zero}V{end:.1f}H{right:.1f}V{zero}Z" for left, right, end in sides)
        return path("".join(outlines), "bars")

    return svg


def line(x: ArrayLike, y: ArrayLike, style: Style) -> Shape:
    """A line through points."""
    return lambda at: path("M" + "L".join(at.points(x, y)), style)


def steps(places: NDArray[Any], heights: NDArray[Any], style: Style) -> Shape:
    """A horizontal line of length one around each place, joined by vertical ones."""
    ends = np.repeat(places, 2) + np.tile([-0.5, 0.5], len(places))
    return line(ends, np.repeat(heights, 2), style)


def intervals(places: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> Shape:
    """A vertical line between two values at each place."""

    def svg(at: Place) -> str:
        ends = zip(at.points(places, low), at.y(high), strict=True)
        return path("".join(f"M{start}V{end:.1f}" for start, end in ends), "ink")

    return svg


def dots(x: ArrayLike, y: ArrayLike) -> Shape:
    """A dot at each point."""
    return lambda at: path("".join(f"M{point}h0" for point in at.points(x, y)), "dots")


def vertical(x: float, style: Style) -> Shape:
    """A line from the bottom to the top."""
    return lambda at: path(f"M{at.x(x):.1f} {at.bottom:.1f}V{at.top:.1f}", style)


def horizontal(y: float, style: Style) -> Shape:
    """A line from the left to the right."""
    return lambda at: path(f"M{at.left:.1f} {at.y(y):.1f}h{at.width:.1f}", style)


def note(words: str, x: float, y: float, *, before: bool = False) -> Shape:
    """Words beside a point: after it, or before it where asked or where there is no room after it."""

    def svg(at: Place) -> str:
        left, length = float(at.x(x)), NOTE + LETTER * len(words)
        fits_before, fits_after = left - length >= at.left, left + length <= at.left + at.width
        if fits_before if before else not fits_after:
            return text(words, left - NOTE, float(at.y(y)) + 4, "end")
        return text(words, left + NOTE, float(at.y(y)) + 4, "start")

    return svg


def pixels(rgb: NDArray[np.uint8]) -> Shape:
    """A picture of shape (rows, columns, 3) that fills the axes, with the first row at the top."""
    output = io.BytesIO()
    Image.fromarray(rgb).save(output, "PNG")
    source = f"data:image/png;base64,{base64.b64encode(output.getvalue()).decode()}"

    def svg(at: Place) -> str:
        box = f'x="{at.left:.1f}" y="{at.top:.1f}" width="{at.width:.1f}" height="{at.height:.1f}"'
        return f'<image {box} preserveAspectRatio="none" href="{source}"/>'

    return svg


def diverging(values: NDArray[Any], limit: float) -> NDArray[np.uint8]:
    """RGB of values, on a last axis of 3: blue up to `-limit`, white at 0, red from `limit` on.

    >>> diverging(np.array([-2.0, 0.0, 1.0]), 1.0).tolist()
    [[33, 102, 172], [255, 255, 255], [178, 24, 43]]
    """
    share = np.clip(np.asarray(values) / limit, -1, 1)
    channels = ((33, 255, 178), (102, 255, 24), (172, 255, 43))
    return np.stack([np.interp(share, (-1, 0, 1), each) for each in channels], axis=-1).round().astype(np.uint8)


def path(commands: str, style: Style) -> str:
    """A path of this style."""
    return f'<path class="{style}" d="{commands}"/>'


def text(words: str, x: float, y: float, anchor: Anchor, *, turned: bool = False, title: bool = False) -> str:
    """Words on one line whose start, middle or end is at a point; they read upwards if `turned`."""
    place = f'transform="translate({x:.1f} {y:.1f}) rotate(-90)"' if turned else f'x="{x:.1f}" y="{y:.1f}"'
    heading = ' class="title"' if title else ""
    return f'<text{heading} {place} text-anchor="{anchor}">{escape(words)}</text>'
