"""Intervals of fractions of faces, with labels as independent units; pure.

Faces of one label are alike, so 500 faces of one person say less than 500 of as many people. The
variance of a fraction p = S / N over G labels, with s_g of n_g faces, is that of a ratio (Cochran
1977, Sampling Techniques, section 11.9; the same as CR1 in `meanface.stats.labels`):

    var(p) = G / (G - 1) * sum over g of (s_g - p n_g)^2 / N^2

From it follows an effective number of faces, p (1 - p) / var(p) (Korn and Graubard 1998, Survey
Methodology 24:193), for which Wilson's (1927, JASA 22:209) interval of a binomial fraction is taken;
it is that of `survey::svyciprop(method = "wilson")` in R. Where no label differs from p, as when
all faces are right, the number of labels is taken.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanface.stats.recognition_models import Rate

Z = 1.959963984540054
"""95 % of a normal distribution are within this many standard deviations"""

Marks = NDArray[np.bool_]
Groups = NDArray[np.intp]


def rate(marked: Marks, labels: Groups) -> Rate:
    """The fraction of marked faces, at least one face; `labels` are numbers.

    >>> rate(np.array([True, True, False, True]), np.array([0, 0, 1, 2])).value
    0.75
    """
    fraction = float(np.count_nonzero(marked)) / len(marked)
    groups, variance = _variance(marked.astype(np.float64), labels)
    effective = fraction * (1 - fraction) / variance if variance else float(groups)
    low, high = wilson(fraction, min(effective, float(len(marked))))
    return Rate(value=fraction, low=low, high=high, faces=len(marked))


def difference(marked: Marks, others: Marks, labels: Groups) -> Rate:
    """The fraction of `marked` minus that of `others`, of the same faces: a normal interval."""
    values = marked.astype(np.float64) - others
    _, variance = _variance(values, labels)
    middle, half = float(values.mean()), Z * math.sqrt(variance)
    return Rate(value=middle, low=middle - half, high=middle + half, faces=len(values))


def wilson(fraction: float, count: float) -> tuple[float, float]:
    """Wilson's interval of a fraction of `count` independent cases.

    >>> [round(end, 3) for end in wilson(0.5, 100.0)]
    [0.404, 0.596]
    """
    square = Z * Z / count
    middle = (fraction + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(fraction * (1 - fraction) / count + square / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _variance(values: NDArray[np.float64], labels: Groups) -> tuple[int, float]:
    """Number of labels, and the variance of the mean of the values."""
    _, codes = np.unique(labels, return_inverse=True)
    sums, counts = np.bincount(codes, values), np.bincount(codes)
    groups = len(counts)
    residuals = sums - values.mean() * counts
    squares = math.fsum((residuals * residuals).tolist())
    return groups, (groups / (groups - 1) * squares / len(values) ** 2 if groups > 1 else 0.0)
