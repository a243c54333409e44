"""Find labels that may be wrong: faces nearer to another label, labels that look alike, photos under two labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.results.label_scan import LabelScan
from meanface.stats.duplicates import Identical
from meanface.stats.neighbours import Gallery, Others
from meanface.stats.recognition_models import AlikeLabels, LabelChecks, SharedPhoto, WrongLabel

SHOWN = 12
"""of each kind, in the report and `result.json`"""
LISTED = 10_000
"""of each kind, in `label_checks.csv`"""
PAIRED_LABELS = 10_000
"""Of more labels, pairs are not compared."""
ADVICE = {
    "wrong_label": "look at the photo: move it to the other label if it is that person, or out of this label",
    "alike_labels": "look at both labels: if they are one person, give them one name",
    "shared_photo": "one photograph has two labels: keep it in the right one",
}
"""what to do about each kind of check"""
COLUMNS = ("check", "photo", "face", "label", "distance", "other_photo", "other_label", "other_distance", "advice")


_ROWS = 128
"""labels that are compared with all others at a time"""

Pair = tuple[int, int, float]
"""positions of two photos with almost equal faces, and the faces' distance"""


class Checks(NamedTuple):
    """All that was found, the most suspicious ones first."""

    faces: int
    """compared with all templates"""
    complete: bool
    """whether these are all faces of labels with two faces or more"""
    wrong: list[WrongLabel]
    alike: list[AlikeLabels] | None
    alike_found: int
    shared: list[SharedPhoto]

    def summary(self) -> LabelChecks:
        """The first ones of each kind."""
        return LabelChecks(
            faces=self.faces,
            complete=self.complete,
            wrong=len(self.wrong),
            wrong_labels=self.wrong[:SHOWN],
            alike=None if self.alike is None else self.alike_found,
            alike_labels=(self.alike or [])[:SHOWN],
            shared=len(self.shared),
            shared_photos=self.shared[:SHOWN],
        )


def check_labels(scan: LabelScan, means: Others, identical: Identical, close: Sequence[Pair]) -> Checks:
    """Check the labels of a run.

    Parameters
    ----------
    scan
        of a run with at least one label
    means
        its probes, compared with the means of all labels
    identical, close
        photos with equal bytes, and with almost equal faces; `scan` knows their names and labels
    """
    faces, wrong = _wrong(scan, means)
    alike, found = _alike(scan) if len(scan.labels) <= PAIRED_LABELS else (None, 0)
    complete = faces == int(scan.counts[scan.counts > 1].sum())
    return Checks(faces, complete, wrong, alike, found, list(_shared(scan, identical, close)))


def write_checks(output: IO[bytes], checks: Checks) -> None:
    """Write `label_checks.csv`, at most `LISTED` rows of each kind."""
    text = io.TextIOWrapper(output, "utf-8", newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    try:
        for check, found in _rows(checks):
            rows.writerow([check, *found, ADVICE[check]])
    finally:
        text.detach()


def _rows(checks: Checks) -> Iterator[tuple[str, tuple[object, ...]]]:
    for one in checks.wrong[:LISTED]:
        where = (one.photo, one.face, one.label, one.distance)
        yield "wrong_label", (*where, "", one.other, one.other_distance)
    for pair in (checks.alike or [])[:LISTED]:
        yield "alike_labels", ("", "", pair.labels[0], pair.distance, "", pair.labels[1], "")
    for both in checks.shared[:LISTED]:
        yield "shared_photo", (both.photos[0], "", both.labels[0], both.distance, both.photos[1], both.labels[1], "")


def _wrong(scan: LabelScan, means: Others) -> tuple[int, list[WrongLabel]]:
    """Number of faces that are compared, and those nearer to another label, by how much nearer."""
    found = scan.farthest()
    if scan.probes.step == 1 and len(found.codes) == np.count_nonzero(scan.counts[scan.probes.codes] > 1):
        known = scan.counts[scan.probes.codes] > 1  # the probes are all faces: the same ones, in the same order
        distance, index = means.distance[known], means.which[known]
    elif len(found.codes):
        others = Gallery(scan.means).others(found.embeddings, found.codes, found.distances)
        distance, index = others.distance, others.which
    else:
        return 0, []
    rows = np.flatnonzero(distance < found.distances)
    rows = rows[np.argsort(distance[rows] - found.distances[rows], kind="stable")]
    return len(found.codes), [
        WrongLabel(
            position=int(found.positions[row]),
            photo=found.photos[row],
            face=int(found.faces[row]),
            label=scan.labels[found.codes[row]],
            distance=float(found.distances[row]),
            other=scan.labels[index[row]],
            other_distance=float(distance[row]),
        )
        for row in rows.tolist()
    ]


def _alike(scan: LabelScan) -> tuple[list[AlikeLabels], int]:
    """The pairs of labels that look alike, by distance relative to the typical one, and their number.

    If faces of one person vary around their mean with a variance v, the means of m and n of them are
    typically sqrt(v / m + v / n) apart. Labels that are no farther apart look alike.
    """
    if scan.variance is None:
        return [], 0
    gallery, variances = Gallery(scan.means), scan.variance / scan.counts
    best: list[tuple[float, int, int]] = []
    total = 0
    for start in range(0, len(scan.labels), _ROWS):
        block = slice(start, start + _ROWS)
        squares, typical = gallery.squared(scan.means[block]), variances[block, None] + variances
        i, j = np.nonzero(squares <= typical)
        i, j = i[i + start < j], j[i + start < j]
        total += len(i)
        ratios = squares[i, j] / np.where(typical[i, j] > 0, typical[i, j], 1.0)
        found = zip(ratios.tolist(), (i + start).tolist(), j.tolist(), strict=True)
        best = sorted([*best, *found])[:LISTED]
    return [_pair(scan, i, j, float(np.sqrt(variances[i] + variances[j]))) for _, i, j in best], total


def _pair(scan: LabelScan, i: int, j: int, expected: float) -> AlikeLabels:
    away = scan.means[i] - scan.means[j]
    return AlikeLabels(
        labels=(scan.labels[i], scan.labels[j]),
        faces=(int(scan.counts[i]), int(scan.counts[j])),
        distance=float(np.sqrt((away * away).sum())),
        expected=expected,
    )


def _shared(scan: LabelScan, identical: Identical, close: Sequence[Pair]) -> Iterator[SharedPhoto]:
    """Photos with two labels: those of equal bytes, then those of almost equal faces."""
    for _, positions in identical.largest:
        known = [scan.photos[position] for position in positions if position in scan.photos]
        for name, label in known[1:]:
            if label != known[0][1]:
                yield SharedPhoto(photos=(known[0][0], name), labels=(known[0][1], label), distance=0.0)
    for first, second, distance in close:
        (name, label), (other_name, other_label) = scan.photos[first], scan.photos[second]
        if label != other_label:
            yield SharedPhoto(photos=(name, other_name), labels=(label, other_label), distance=distance)


def wanted_positions(identical: Identical, close: Sequence[Pair]) -> NDArray[np.int64]:
    """Positions of the photos whose names and labels `check_labels` needs."""
    places = [position for _, group in identical.largest for position in group]
    return np.array([*places, *(position for pair in close for position in pair[:2])], np.int64)
