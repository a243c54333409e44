"""Leave-one-out recognition: how often faces are nearest to their own label's template; pure.

Each face is compared with the templates of all labels. That of its own label is taken without the
face: of n faces with mean m, the others' mean is n / (n - 1) times as far from a face as m is. A
label with one face has no such template. As in open-set protocols (Günther et al. 2017, "Toward
Open-Set Face Recognition", CVPR workshops, on LFW), these labels stay in the gallery, where other
faces may be mistaken for them, and their faces are strangers: a stranger's right answer is no name.
Every other face is a stranger once, too, when its own label is taken away.

A face counts as right only if its label is nearer than each other, not equally near. The words are
those of NIST's evaluations (FRTE 1:N): `named` is 1 - FNIR, `strangers_named` FPIR.

Thresholds are edges of the bins of `Others`, about 0.001 wide; a pair is accepted below its
threshold. Intervals (`meanface.stats.intervals`) take labels as independent, and the threshold as
given.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.intervals import difference, rate
from meanface.stats.neighbours import BINS, Others
from meanface.stats.recognition_models import AtThreshold, CurvePoint, Method, Verification

FALSE_ACCEPTS = 1e-3
"""the false accept rate at which true accepts are counted"""
RANKS = 5
CURVE = 8
"""every so many bins, the curve has a point"""

Floats = NDArray[np.float64]


class Compared(NamedTuple):
    """Some faces, compared with one kind of template."""

    labels: NDArray[np.intp]
    """number of each face's own label"""
    own: Floats
    """distance to the own label's template without the face; infinite if it has no other face"""
    others: Others

    @property
    def bin_width(self) -> float:
        """Of the histogram of distances."""
        return self.others.bin_width

    @property
    def known(self) -> NDArray[np.bool_]:
        """Faces with a template of their own label."""
        return np.isfinite(self.own)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Faces whose own label is nearest."""
        right: NDArray[np.bool_] = self.known & (self.others.nearer == 0)
        return right


def method(compared: Compared, means: Compared | None = None) -> Method:
    """Rates of a kind of template; `means` are those of the same faces by means, if this is another kind."""
    known = compared.known
    labels, nearer = compared.labels[known], compared.others.nearer[known]
    return Method(
        rank_1=rate(nearer == 0, labels),
        rank_5=rate(nearer < RANKS, labels),
        verification=_verification(compared),
        better=None if means is None else difference(nearer == 0, means.right[known], labels),
    )


def at_threshold(compared: Compared, threshold: float) -> AtThreshold:
    """What identification does with this threshold: farther templates give no name."""
    known, others = compared.known, compared.others
    labels, own, right = compared.labels[known], compared.own[known], compared.right[known]
    return AtThreshold(
        threshold=threshold,
        named=rate(right & (own <= threshold), labels),
        misnamed=rate(~right & (others.distance[known] <= threshold), labels),
        strangers_named=rate(others.distance <= threshold, compared.labels),
    )


def suggested_threshold(compared: Compared) -> float | None:
    """The lowest threshold at which strangers get a name at least as often as others do not get theirs.

    None if there is no such threshold.
    """
    named, strangers = _identified(compared)
    enough = np.flatnonzero(strangers >= 1 - named)
    return float(enough[0] * compared.bin_width) if len(enough) else None


def curve(compared: Compared) -> list[CurvePoint]:
    """Rates by threshold, from the first accept to where all faces are accepted."""
    named, strangers = _identified(compared)
    false, true = _accepts(compared)
    first = int(np.argmax((true > 0) | (strangers > 0)))
    last = int(np.argmax((true >= true[-1]) & (strangers >= strangers[-1])))
    places = range(first - first % CURVE, min(last + CURVE, BINS) + 1, CURVE)
    at = np.array(places)
    rates = (column[at].tolist() for column in (false, true, strangers, named))
    return [CurvePoint(*point) for point in zip((at * compared.bin_width).tolist(), *rates, strict=True)]


def _verification(compared: Compared) -> Verification:
    false, true = _accepts(compared)
    known = compared.known
    equal = int(np.argmin(np.abs(false - (1 - true))))
    strict = int(np.flatnonzero(false <= FALSE_ACCEPTS)[-1])
    threshold = strict * compared.bin_width
    return Verification(
        equal_error_rate=float((false[equal] + 1 - true[equal]) / 2),
        equal_error_threshold=equal * compared.bin_width,
        false_accept_rate=float(false[strict]),
        accept_threshold=threshold,
        true_accept_rate=rate(compared.own[known] < threshold, compared.labels[known]),
        genuine=int(np.count_nonzero(known)),
        impostor=int(compared.others.counts.sum()),
    )


def _accepts(compared: Compared) -> tuple[Floats, Floats]:
    """False and true accept rates below each edge of a bin."""
    counts = compared.others.counts
    return _below(counts) / max(int(counts.sum()), 1), _fractions(compared.own[compared.known], compared.bin_width)


def _identified(compared: Compared) -> tuple[Floats, Floats]:
    """Below each edge: faces that get their own name, and strangers that get any."""
    known, right = compared.known, compared.right
    share = np.count_nonzero(right) / np.count_nonzero(known)
    named = share * _fractions(compared.own[right], compared.bin_width)
    return named, _fractions(compared.others.distance, compared.bin_width)


def _fractions(distances: Floats, width: float) -> Floats:
    bins = np.minimum(distances / width, BINS).astype(np.intp)
    below = _below(np.bincount(bins, minlength=BINS + 1))
    return below / max(len(distances), 1)


def _below(counts: NDArray[np.int64]) -> Floats:
    """How many are below each edge, from 0 to that behind the last bin, which has the rest."""
    return np.concatenate([[0], np.cumsum(counts)[:BINS]]).astype(np.float64)
