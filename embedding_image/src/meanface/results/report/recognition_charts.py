"""The charts of recognition: true and false accepts, and rates by threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meanface.results.report.drawing import ACCENT, BAR, INK, Chart, chart, note
from meanface.stats.recognition import FALSE_ACCEPTS
from meanface.stats.recognition_models import Recognition

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def accepts(found: Recognition) -> Chart:
    """Draw the ROC of verification by means: true accepts over false accepts, on a logarithmic scale."""
    points = np.array(found.curve)
    false, true = points[:, 1], points[:, 2]
    verification = found.mean.verification
    lowest = 1 / max(verification.impostor, 1) if verification else 1e-6
    start = 10.0 ** np.floor(np.log10(max(lowest, 1e-7)))
    rate = verification.true_accept_rate.value if verification else 0.0
    text = (
        f"True accepts over false accepts of {found.faces:,} faces and {found.labels:,} templates: at one false accept "
        f"in 1,000 comparisons, {100 * rate:.1f} % of the comparisons with the own template are accepted."
    )

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots()
        axes.plot(np.maximum(false, start), 100 * true, color=BAR, linewidth=2)
        axes.set_xscale("log")
        axes.set_xlim(start, 1)
        axes.set_ylim(0, 105)
        axes.axvline(FALSE_ACCEPTS, color=ACCENT, linewidth=1.2, linestyle="dashed")
        note(axes, f"{100 * rate:.1f} % at 1 in 1,000", (FALSE_ACCEPTS, 8), ha="right", va="bottom")
        _fractions(axes)
        axes.set_title("Verification: true over false accepts")
        axes.set_xlabel("false accepts" if narrow else "false accepts (of comparisons with another label's template)")
        axes.set_ylabel("% true accepts")

    return chart("accepts", text, draw, (3.6, 3.4))


def thresholds(found: Recognition) -> Chart:
    """Draw what identification does by threshold: faces that get their own name, strangers that get any."""
    points = np.array(found.curve)
    threshold, strangers, named = points[:, 0], 100 * points[:, 3], 100 * points[:, 4]
    best = found.suggested
    text = f"Identification by threshold, of {found.faces:,} faces: no threshold is suggested."
    if best is not None:
        text = (
            f"Identification by threshold: at the suggested threshold of {best.threshold:.2f}, "
            f"{100 * best.named.value:.1f} % of the faces get their own name, and "
            f"{100 * best.strangers_named.value:.1f} % of strangers get a name."
        )

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots()
        axes.plot(threshold, named, color=BAR, linewidth=2, label="own name" if narrow else "get their own name")
        axes.plot(
            threshold, strangers, color=ACCENT, linewidth=2, label="strangers" if narrow else "strangers get a name"
        )
        lines = [("suggested", best.threshold)] if best else []
        lines += [("customary", found.customary.threshold)] if found.customary else []
        lines.sort(key=lambda line: line[1])
        for name, place in lines:
            axes.axvline(place, color=INK, linewidth=1, linestyle="dashed")
            left = name == lines[0][0] and len(lines) > 1
            note(axes, f"{name} {place:.2f}", (place, 118), ha="right" if left else "left", va="top")
        axes.set_ylim(0, 122)
        axes.set_yticks(range(0, 101, 25))
        axes.set_xlim(threshold[0], threshold[-1])
        axes.set_title("Identification by threshold")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 0.9))
        axes.set_xlabel("threshold of the distance")
        axes.set_ylabel("% of the faces")

    return chart("thresholds", text, draw, (3.6, 3.8))


def _fractions(axes: Axes) -> None:
    """Label powers of ten: 1e-3."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.xaxis.set_major_locator(LogLocator(numticks=9))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: "1" if value >= 1 else f"{value:.0e}".replace("e-0", "e-"))
    )
    axes.xaxis.set_minor_locator(LogLocator(numticks=1))
