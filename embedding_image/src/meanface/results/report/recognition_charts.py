"""The charts of recognition: true and false accepts, and rates by threshold."""

from __future__ import annotations

import numpy as np

from meanface.results.report.drawing import Chart, Panel, Ticks, chart
from meanface.results.report.shapes import line, note, vertical
from meanface.stats.recognition import FALSE_ACCEPTS
from meanface.stats.recognition_models import Recognition


def accepts(found: Recognition) -> Chart:
    """Draw the ROC of verification by means: true accepts over false accepts, on a logarithmic scale."""
    points = np.array(found.curve)
    false, true = points[:, 1], points[:, 2]
    verification = found.mean.verification
    lowest = 1 / max(verification.impostor, 1) if verification else 1e-6
    start = int(np.floor(np.log10(max(lowest, 1e-7))))
    rate = verification.true_accept_rate.value if verification else 0.0
    text = (
        f"True accepts over false accepts of {found.faces:,} faces and {found.labels:,} templates: at one false accept "
        f"in 1,000 comparisons, {100 * rate:.1f} % of the comparisons with the own template are accepted."
    )

    def draw(narrow: bool) -> list[list[Panel]]:
        wanted = float(np.log10(FALSE_ACCEPTS))
        shapes = [
            line(np.log10(np.maximum(false, 10.0**start)), 100 * true, "data"),
            vertical(wanted, "dashed"),
            note(f"{100 * rate:.1f} % at 1 in 1,000", wanted, 12, before=True),
        ]
        panel = Panel(
            "false accepts" if narrow else "false accepts (of comparisons with another label's template)",
            "% true accepts",
            (start, 0),
            (0, 105),
            shapes,
            "Verification: true over false accepts",
            x_ticks=_powers_of_ten(start),
        )
        return [[panel]]

    return chart(text, draw)


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

    def draw(narrow: bool) -> list[list[Panel]]:
        shapes = [line(threshold, named, "data"), line(threshold, strangers, "mark")]
        lines = [("suggested", best.threshold)] if best else []
        lines += [("customary", found.customary.threshold)] if found.customary else []
        lines.sort(key=lambda line: line[1])
        for name, place in lines:
            left = name == lines[0][0] and len(lines) > 1
            shapes += [vertical(place, "dashed"), note(f"{name} {place:.2f}", place, 112, before=left)]
        panel = Panel(
            "threshold of the distance",
            "% of the faces",
            (float(threshold[0]), float(threshold[-1])),
            (0, 122),
            shapes,
            "Identification by threshold",
            y_ticks=[(part, str(part)) for part in range(0, 101, 25)],
            legend=[
                ("data", "own name" if narrow else "get their own name"),
                ("mark", "strangers" if narrow else "strangers get a name"),
            ],
        )
        return [[panel]]

    return chart(text, draw)


def _powers_of_ten(start: int) -> Ticks:
    """Ticks at 10**start, ..., 1.

    >>> _powers_of_ten(-2)
    [(-2, '1e-2'), (-1, '1e-1'), (0, '1')]
    """
    return [(power, f"1e{power}" if power else "1") for power in range(start, 1)]
