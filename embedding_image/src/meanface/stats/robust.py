"""Robust centres of embeddings, which outlying faces move little; pure.

Both are computed from embeddings in memory: all faces of a run, or a sample of at most
`meanface.results.scan.SAMPLE`. Sums follow the order of the rows and use no linear algebra library,
so the same rows give the same bits on one machine.

Compared with references on the embeddings of real runs (`tests/references.py`): each component of
the trimmed mean equals `scipy.stats.trim_mean`'s in float64 within 1e-15, and the geometric median
is within 1e-9 (Euclidean) of the point where `scipy.optimize` finds a zero gradient of the mean
distance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.exact_sum import norm, slices

TRIMMED_FRACTION = 0.1
"""of each component's values, left out at each end"""
TOLERANCE = 1e-10
"""The geometric median stops after a step this short; embeddings are about 1.4 long."""
MAX_ITERATIONS = 1000


def trimmed_mean(embeddings: NDArray[np.float32], fraction: float = TRIMMED_FRACTION) -> NDArray[np.float64]:
    """Mean of each component without its `fraction` smallest and largest values, float64[d].

    As `scipy.stats.trim_mean`, it leaves out int(fraction * n) values at each end. The rest is
    summed exactly and rounded once, so the order of the rows does not matter. ValueError if nothing
    is left.

    >>> rows = np.array([[0.0], [1.0], [2.0], [3.0], [1000.0]], np.float32)
    >>> trimmed_mean(rows, 0.2).tolist()
    [2.0]
    """
    cut = int(fraction * len(embeddings))
    kept = len(embeddings) - 2 * cut
    if kept <= 0:
        raise ValueError(f"{len(embeddings)} embeddings: nothing is left when {fraction:.0%} are cut at each end")
    middles = (np.sort(component)[cut : cut + kept] for component in embeddings.T)
    return np.array([math.fsum(middle.tolist()) / kept for middle in middles])


class GeometricMedian(NamedTuple):
    """The point with the least sum of distances to the embeddings, where the iteration ended."""

    point: NDArray[np.float64]
    iterations: int
    converged: bool


def geometric_median(embeddings: NDArray[np.float32], start: NDArray[np.float64]) -> GeometricMedian:
    """Weiszfeld's iteration from `start`, for example the mean, until a step is within `TOLERANCE`.

    Each step goes to the mean of the embeddings weighted by 1 / distance. Embeddings that the point
    hits exactly would have infinite weight. The rule of Vardi and Zhang (2000, PNAS 97:1423)
    computes the step T without them, and goes the part max(0, 1 - k / |R|) of it, with k their
    number and R the sum of the unit vectors to all others: it stays where |R| <= k, when the point
    is the median.
    """
    point = start.astype(np.float64)
    for iteration in range(1, MAX_ITERATIONS + 1):
        step = _step(embeddings, point)
        point = point + step
        if norm(step) <= TOLERANCE:
            return GeometricMedian(point, iteration, converged=True)
    return GeometricMedian(point, MAX_ITERATIONS, converged=False)


def _step(embeddings: NDArray[np.float32], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """The step from a point."""
    pull = np.zeros(len(point))  # sum of the unit vectors to all other embeddings
    weight, hits = 0.0, 0
    for rows in slices(len(embeddings)):
        away = embeddings[rows].astype(np.float64) - point
        distances = np.sqrt((away * away).sum(axis=1))
        other = distances > 0
        hits += int(np.count_nonzero(~other))
        weights = 1 / distances[other]
        pull += (away[other] * weights[:, None]).sum(axis=0)
        weight += float(weights.sum())
    strength = norm(pull)
    if strength <= hits:
        return np.zeros(len(point))
    return pull / weight * (1 - hits / strength)
