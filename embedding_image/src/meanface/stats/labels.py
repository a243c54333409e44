"""Means by label, compared with each other and with the plain mean; pure.

`meanface.settings.Labels` defines labels.

**The label-balanced mean** is the mean of the labels' means: each label counts once, however many
faces it has. It is computed as a fraction and rounded once.

**The cluster-robust standard error** of the plain mean takes labels as independent, and allows any
dependence among the faces of one label. With x_i the faces, m their mean, N their number, and G
labels (Liang and Zeger 1986; Cameron and Miller 2015, Journal of Human Resources 50:317, equations
11 and 12, for a regression on a constant alone):

    s_g = sum over the faces i of label g of (x_i - m)
    CR0 = sqrt(sum over g of s_g^2) / N        CR1 = sqrt(G / (G - 1)) * CR0

CR1 is reported. G / (G - 1) is its finite-sample correction, as Stata's (N - 1) / (N - K) is 1 for
a constant. With few labels, or one that has most of the faces, it still tends to be too small. The
s_g are exact integers, rounded once: on the embeddings of real runs the errors equal NumPy's in
float64 within 1e-9 of their size, and the balanced mean equals NumPy's within 1e-15
(`tests/references.py`).
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.exact_sum import SUM_BITS, ExactSum, added, norm
from meanface.stats.models import LabelDistance, LabelPair, LabelStatistics

SHOWN = 8
"""labels and pairs that are listed"""
PAIRED_LABELS = 4000
"""Of more labels than this, pairs are not compared."""
QUANTILES = {"minimum": 0.0, "5%": 0.05, "median": 0.5, "95%": 0.95, "maximum": 1.0}

Vector = NDArray[np.float64]


def label_statistics(sums: Mapping[str, ExactSum]) -> LabelStatistics:
    """Statistics of the labels, from the exact sum of each; at least one label."""
    labels = sorted(sums)
    means = np.array([sums[label].mean() for label in labels])
    balanced = balanced_mean(sums)
    away = means - balanced
    distances = np.sqrt((away * away).sum(axis=1))
    order = sorted(range(len(labels)), key=lambda i: (float(distances[i]), labels[i]))
    whole = sum(sums.values(), ExactSum.zero())

    def distance_of(index: int) -> LabelDistance:
        label = labels[index]
        return LabelDistance(label=label, faces=sums[label].count, distance=float(distances[index]))

    return LabelStatistics(
        labels=len(labels),
        largest=max(each.count for each in sums.values()),
        balanced_mean=balanced.tolist(),
        distance_to_mean=norm(balanced - whole.mean()),
        cluster_standard_error=cluster_standard_error(sums).tolist() if len(labels) > 1 else None,
        distance_quantiles={name: float(np.quantile(distances, part)) for name, part in QUANTILES.items()},
        nearest=[distance_of(index) for index in order[:SHOWN]],
        farthest=[distance_of(index) for index in order[::-1][:SHOWN]],
        closest_pairs=_closest(labels, means) if len(labels) <= PAIRED_LABELS else None,
    )


def balanced_mean(sums: Mapping[str, ExactSum]) -> Vector:
    """Mean of the labels' means, float64[d], correctly rounded from its exact value."""
    by_count: dict[int, tuple[int, ...]] = defaultdict(tuple)
    for each in sums.values():  # integers first, by number of faces: few fractions remain
        by_count[each.count] = added(by_count[each.count], each.sums)
    divisor = len(sums) << SUM_BITS
    components = zip(*by_count.values(), strict=True)
    exact = [
        sum((Fraction(total, count) for count, total in zip(by_count, component, strict=True)), Fraction(0))
        for component in components
    ]
    return np.array([each.numerator / (each.denominator * divisor) for each in exact])


def cluster_standard_error(sums: Mapping[str, ExactSum]) -> Vector:
    """CR1 of each component of the plain mean, float64[d]; ValueError for one label."""
    if len(sums) < 2:
        raise ValueError(f"{len(sums)} labels: a standard error by label needs at least 2")
    whole = sum(sums.values(), ExactSum.zero())
    divisor = whole.count << SUM_BITS

    def square(component: int) -> float:
        total = whole.sums[component]
        residuals = ((whole.count * each.sums[component] - each.count * total) / divisor for each in sums.values())
        return math.fsum(residual * residual for residual in residuals)

    squares = map(square, range(whole.dimensions))
    correction = len(sums) / (len(sums) - 1)
    return np.array([math.sqrt(correction * square) / whole.count for square in squares])


def _closest(labels: list[str], means: Vector) -> list[LabelPair]:
    """The pairs of labels with the closest means; one row of distances in memory at a time."""
    best: list[tuple[float, int, int]] = []
    for first in range(len(labels) - 1):
        away = means[first + 1 :] - means[first]
        distances = np.sqrt((away * away).sum(axis=1))
        lowest = np.argsort(distances, kind="stable")[:SHOWN]
        found = ((float(distances[i]), first, first + 1 + int(i)) for i in lowest)
        best = heapq.nsmallest(SHOWN, [*best, *found])
    return [LabelPair(labels=(labels[i], labels[j]), distance=distance) for distance, i, j in best]


class LabelMeans(NamedTuple):
    """The content of `label_means.parquet`, by label."""

    names: list[str]
    faces: NDArray[np.int64]
    means: NDArray[np.float64]
    """(n, d)"""
