"""The charts of the report: data, titles, units, and descriptions for screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from meanface.results.report.drawing import ACCENT, BAR, INK, NARROW, Chart, bars, chart, note
from meanface.results.result import Throughput
from meanface.stats.models import Distances

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Vector = NDArray[np.float64]

SCREE = 40
"""principal components whose share is drawn"""
MAX_BARS = 60


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

    def draw(figure: Figure, narrow: bool) -> None:
        if error is None:
            top = figure.subplots()
        else:
            top, bottom = figure.subplots(2, sharex=True, height_ratios=[2, 1])
            bars(bottom, index, error, label="faces independent")
            bottom.set_ylim(0)
            if by_label is not None:
                bottom.step(index, by_label, where="mid", color=ACCENT, linewidth=1.2, label="labels independent")
                bottom.legend(loc="upper left", ncols=1 if narrow else 2, bbox_to_anchor=(0, 1.02))
                highest = max(error.max(), by_label.max()) or 1.0  # all faces may be equal
                bottom.set_ylim(0, (1.9 if narrow else 1.55) * highest)
            bottom.set_title("Standard error of each component")
            bottom.set_ylabel("standard error" if narrow else "std. error")
            top.vlines(index, mean - error, mean + error, color=INK, linewidth=1, zorder=3)
        bars(top, index, mean)
        top.axhline(0, color=INK, linewidth=0.8)
        top.set_title("Components of the mean" if error is None else "Mean, ± one standard error")
        top.set_ylabel("value")
        last = figure.axes[-1]
        last.set_xlabel("component (without unit)")
        last.set_xlim(-1, len(mean))
        last.set_xticks(range(0, len(mean) + 1, _tick(len(mean), 4 if narrow else 8)))

    heights = (3.4, 3.0) if error is None else (5.4, 5.2)
    return chart("mean", text, draw, heights)


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

    def draw(figure: Figure, narrow: bool) -> None:
        own, together = figure.subplots(*((2, 1) if narrow else (1, 2)))
        bars(own, number[:SCREE], share[:SCREE])
        own.set_xlim(0)
        own.set_ylim(0)
        own.set_title(f"Share of each of the first {min(SCREE, len(share))}")
        own.set_ylabel("% of the variance")
        together.plot(number, cumulative, color=BAR, linewidth=2)
        for part, needed in ((50, half), (90, most)):
            together.plot([0, needed, needed], [part, part, 0], color=ACCENT, linewidth=1, linestyle="dashed")
            note(together, f"{part} % by {needed}", (needed, part), va="top")
        together.set_title("All up to this one together")
        together.set_ylabel("cumulative %")
        together.set_ylim(0, 105)
        together.set_xlim(0, len(share))
        for axes in (own, together):
            axes.set_xlabel("principal component")

    return chart("scree", text, draw, (3.4, 5.6))


def covariance(matrix: Vector) -> Chart:
    """Draw the covariance as a heat map with a scale symmetric around zero."""
    variance = matrix.diagonal()
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    limit = float(np.quantile(np.abs(off), 0.999)) or float(np.abs(matrix).max())
    text = (
        f"Heat map of the {len(matrix)} by {len(matrix)} covariances: variances from {variance.min():.5f} to "
        f"{variance.max():.5f} on the diagonal, covariances from {off.min():.5f} to {off.max():.5f} beside it."
    )

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots()
        image = axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="none")
        axes.grid(visible=False)
        axes.set_xlabel("component")
        axes.set_ylabel("component")
        axes.set_xticks(range(0, len(matrix), _tick(len(matrix), 4)))
        axes.set_yticks(range(0, len(matrix), _tick(len(matrix), 4)))
        place: dict[str, Any] = {"location": "bottom"} if narrow else {"location": "right", "fraction": 0.22}
        bar = figure.colorbar(image, ax=axes, shrink=0.9, extend="both", label="covariance", **place)
        if bar.solids is not None:
            bar.solids.set_rasterized(True)
        bar.ax.locator_params(nbins=4)

    return chart("covariance", text, draw, (5.4, 5.4), (7.2, NARROW))


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

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots()
        edges = (start * found.bin_width) + width * np.arange(len(heights))
        bars(axes, edges + width / 2, heights, width=width * 0.92)
        axes.set_ylim(0, 1.18 * heights.max())
        for place, name in ((low, "5 %"), (median, "median"), (high, "95 %")):
            axes.axvline(place, color=ACCENT, linewidth=1.2, linestyle="dashed")
            note(axes, name, (place, 1.16 * heights.max()), ha="right" if place == low else "left", va="top")
        axes.set_xlabel("distance to the mean" if narrow else "Euclidean distance to the mean (without unit)")
        axes.set_ylabel(f"faces per {width:.2f}")
        _whole_numbers(axes)

    return chart("distances", text, draw, (3.6, 3.2))


def throughput(partitions: Sequence[Throughput]) -> Chart:
    """Draw the photos per second of each partition."""
    rated = [(each.partition, each.rate) for each in partitions if each.rate is not None]
    index, rates = (np.array(column) for column in zip(*rated, strict=True))
    text = (
        f"Photos per second of {len(rated)} partitions: from {rates.min():.1f} to {rates.max():.1f}, "
        f"median {np.median(rates):.1f}."
    )

    def draw(figure: Figure, _narrow: bool) -> None:
        axes = figure.subplots()
        if len(rated) <= MAX_BARS:
            bars(axes, index, rates)
        else:
            axes.plot(index, rates, ".", color=BAR, markersize=4)
        axes.axhline(float(np.median(rates)), color=ACCENT, linewidth=1.2, linestyle="dashed", label="median")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1))
        axes.set_ylim(0, 1.3 * rates.max())
        axes.set_xlabel("partition")
        axes.set_ylabel("photos/s")
        axes.locator_params(axis="x", integer=True)

    return chart("throughput", text, draw, (2.8, 2.6))


def _tick(dimensions: int, parts: int) -> int:
    """Distance of ticks that cut an axis of components in about `parts`.

    >>> _tick(128, 8), _tick(128, 4), _tick(512, 8), _tick(3, 8)
    (16, 32, 64, 1)
    """
    return max(1, -(-dimensions // parts))


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
