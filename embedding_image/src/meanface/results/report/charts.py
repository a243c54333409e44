"""The charts of the report: data, titles, units, and descriptions for screen readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanface.results.report.drawing import Chart, Panel, Ticks, chart, round_ticks
from meanface.results.report.shapes import (
    Range,
    bars,
    diverging,
    dots,
    horizontal,
    intervals,
    line,
    note,
    pixels,
    steps,
    vertical,
)
from meanface.results.result import Throughput
from meanface.stats.models import Distances

Vector = NDArray[np.float64]

SCREE = 40
"""principal components whose share is drawn"""
MAX_BARS = 60
SQUARE = 518
"""pixels of the width of the covariance"""


def mean_vector(mean: Vector, error: Vector | None, by_label: Vector | None) -> Chart:
    """Draw the components with error bars of one standard error; below, the errors."""
    largest = int(np.argmax(np.abs(mean)))
    text = (
        f"Bar chart of the {len(mean)} components of the mean, from {mean.min():.3f} to {mean.max():.3f}; "
        f"the largest in magnitude is component {largest}, {mean[largest]:.3f}."
    )
    if error is not None:
        text += f" Below, their standard errors, from {error.min():.5f} to {error.max():.5f}."
    index = np.arange(len(mean))
    across = (-1.0, float(len(mean)))
    label = "component (without unit)"

    def draw(narrow: bool) -> list[list[Panel]]:
        ticks = _components(len(mean), 4 if narrow else 8)
        spread = np.zeros_like(mean) if error is None else error
        values = _range(0, *(mean - spread), *(mean + spread))
        shapes = [bars(index, mean), horizontal(0, "ink")]
        if error is None:
            return [[Panel(label, "value", across, values, shapes, "Components of the mean", x_ticks=ticks)]]
        shapes.append(intervals(index, mean - error, mean + error))
        top = Panel("", "value", across, values, shapes, "Mean, ± one standard error", x_ticks=ticks)
        faces, labels = ("by face", "by label") if narrow else ("faces independent", "labels independent")
        errors = [error] if by_label is None else [error, by_label]
        below = [bars(index, error)] if by_label is None else [bars(index, error), steps(index, by_label, "mark")]
        bottom = Panel(
            label,
            "standard error" if narrow else "std. error",
            across,
            _range(0, *(each.max() for each in errors)),
            below,
            "Standard error of each component",
            height=110,
            x_ticks=ticks,
            legend=[] if by_label is None else [("bars", faces), ("mark", labels)],
        )
        return [[top], [bottom]]

    return chart(text, draw)


def scree(variances: Vector) -> Chart:
    """Draw the share of the variance along each principal axis, and the cumulative share."""
    share = 100 * variances / variances.sum()
    cumulative = np.cumsum(share)
    half, most = (int(np.searchsorted(cumulative, part)) + 1 for part in (50, 90))
    text = (
        f"The first principal component has {share[0]:.1f} % of the variance; "
        f"{half} components have 50 % and {most} have 90 %."
    )
    number = np.arange(1, len(share) + 1)

    def draw(narrow: bool) -> list[list[Panel]]:
        shown = min(SCREE, len(share))
        own = Panel(
            "principal component",
            "% of the variance",
            (0, shown + 1),
            _range(0, share.max()),
            [bars(number[:shown], share[:shown])],
            f"Share of each of the first {shown}",
        )
        shapes = [line(number, cumulative, "data")]
        for part, needed in ((50, half), (90, most)):
            shapes.append(line([0, needed, needed], [part, part, 0], "dashed"))
            shapes.append(note(f"{part} % by {needed}", needed, part - 6))
        together = Panel(
            "principal component",
            "cumulative %",
            (0, len(share) + 1),
            (0, 105),
            shapes,
            "All up to this one together",
        )
        return [[own], [together]] if narrow else [[own, together]]

    return chart(text, draw)


def covariance(matrix: Vector) -> Chart:
    """Draw the covariance as a heat map with a scale symmetric around zero."""
    variance = matrix.diagonal()
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    limit = float(np.quantile(np.abs(off), 0.999)) or float(np.abs(matrix).max()) or 1.0  # all faces may be equal
    text = (
        f"Heat map of the {len(matrix)} by {len(matrix)} covariances: variances from {variance.min():.5f} to "
        f"{variance.max():.5f} on the diagonal, covariances from {off.min():.5f} to {off.max():.5f} beside it."
    )

    def draw(_narrow: bool) -> list[list[Panel]]:
        size = len(matrix)
        middles = (-0.5, size - 0.5)
        across = _components(size, 4)
        downwards = [(size - 1 - place, label) for place, label in across]
        colours = [pixels(diverging(matrix, limit))]
        map_ = Panel(
            "component",
            "component",
            middles,
            middles,
            colours,
            height=None,
            x_ticks=across,
            y_ticks=downwards,
            grid=False,
        )
        ramp = [pixels(diverging(np.linspace(-limit, limit, 255)[None], limit))]
        scale = Panel("covariance", "", (-limit, limit), (0, 1), ramp, height=14, y_ticks=[], grid=False)
        return [[map_], [scale]]

    return chart(text, draw, SQUARE)


def distances(found: Distances) -> Chart:
    """Draw a histogram of the distances of faces to the mean."""
    counts, step = np.array(found.counts), 1
    first = int(np.flatnonzero(counts)[0]) if counts.any() else 0
    while (len(counts) - first) / step > MAX_BARS:
        step += 1
    start = first - first % step
    padded = np.append(counts[start:], np.zeros(-len(counts[start:]) % step, counts.dtype))
    heights = padded.reshape(-1, step).sum(axis=1)
    width = step * found.bin_width
    low, median, high = (found.quantile(part) for part in (0.05, 0.5, 0.95))
    text = (
        f"Histogram of the distances of {counts.sum() + found.beyond:,} faces to the mean: from {found.minimum:.3f} to "
        f"{found.maximum:.3f}, half of them up to {median:.2f}, nine in ten between {low:.2f} and {high:.2f}."
    )

    def draw(narrow: bool) -> list[list[Panel]]:
        edges = (start * found.bin_width) + width * np.arange(len(heights))
        top = 1.18 * heights.max()
        shapes = [bars(edges + width / 2, heights, width=width * 0.92)]
        for place, name in ((low, "5 %"), (median, "median"), (high, "95 %")):
            shapes += [vertical(place, "dashed"), note(name, place, 0.94 * top, before=place == low)]
        panel = Panel(
            "distance to the mean" if narrow else "Euclidean distance to the mean (without unit)",
            f"faces per {width:.2f}",
            (float(min(edges[0], low)), float(max(edges[-1] + width, high))),
            (0, top),
            shapes,
            y_ticks=_whole(top),
        )
        return [[panel]]

    return chart(text, draw)


def throughput(partitions: Sequence[Throughput]) -> Chart:
    """Draw the photos per second of each partition."""
    rated = [(each.partition, each.rate) for each in partitions if each.rate is not None]
    index, rates = (np.array(column) for column in zip(*rated, strict=True))
    text = (
        f"Photos per second of {len(rated)} partitions: from {rates.min():.1f} to {rates.max():.1f}, "
        f"median {np.median(rates):.1f}."
    )

    def draw(narrow: bool) -> list[list[Panel]]:
        across = (float(index.min()) - 1, float(index.max()) + 1)
        marks = bars(index, rates) if len(rated) <= MAX_BARS else dots(index, rates)
        panel = Panel(
            "partition",
            "photos/s",
            across,
            _range(0, rates.max()),
            [marks, horizontal(float(np.median(rates)), "dashed")],
            height=130,
            x_ticks=[tick for tick in round_ticks(*across, 4 if narrow else 10) if tick[0] == int(tick[0])],
            legend=[("dashed", "median")],
        )
        return [[panel]]

    return chart(text, draw)


def _range(*values: float) -> Range:
    """From the least to the largest value, and a twentieth more on the sides of zero that have values."""
    low, high = float(min(values)), float(max(values))
    return (low * 1.05, high * 1.05) if high > low else (0.0, 1.0)  # all faces may be equal


def _components(dimensions: int, parts: int) -> Ticks:
    """Ticks that cut an axis of components in about `parts`.

    >>> [place for place, _ in _components(128, 4)], _components(3, 8)
    ([0, 32, 64, 96], [(0, '0'), (1, '1'), (2, '2')])
    """
    step = max(1, -(-dimensions // parts))
    return [(place, str(place)) for place in range(0, dimensions, step)]


def _whole(top: float) -> Ticks:
    """Ticks at whole numbers of faces."""
    return [(place, f"{place:,.0f}") for place, _ in round_ticks(0, top, 5) if place == int(place)]
