"""Centres of embeddings that outlying faces can move but little; pure.

Both are computed of embeddings in memory, of which there are at most
`meanface.results.scan.SAMPLE`: all faces of a run, or a sample. Sums are in an order that the rows'
order fixes, without the linear algebra library, so that the same rows give the same bits on one
machine.

Held against references on the embeddings of real runs (`tests/references.py`): the trimmed mean is
`scipy.stats.trim_mean`'s in float64 within 1e-15 a component, the geometric median is within 1e-9 (Euclidean) of the
point at which `scipy.optimize` finds the gradient of the mean distance to be zero.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.exact_sum import slices

TRIMMED_FRACTION = 0.1
"""of each component's values, left out at either side"""
TOLERANCE = 1e-10
"""A step of the geometric median that is no longer than this is the last; embeddings are about 1.4 long."""
MAX_ITERATIONS = 1000


def trimmed_mean(embeddings: NDArray[np.float32], fraction: float = TRIMMED_FRACTION) -> NDArray[np.float64]:
    """Mean of each component without its `fraction` smallest and largest values, float64[128].

    As `scipy.stats.trim_mean`: int(fraction * n) values are left out at either side. What is left is summed exactly and
    rounded once, so the order of the rows does not matter.

    Raises
    ------
    ValueError
        where nothing is left

    >>> rows = np.array([[0.0], [1.0], [2.0], [3.0], [1000.0]], np.float32)
    >>> trimmed_mean(rows, 0.2).tolist()
    [2.0]
    """
    cut = int(fraction * len(embeddings))
    kept = len(embeddings) - 2 * cut
    if kept <= 0:
        raise ValueError(f"{len(embeddings)} embeddings: nothing is left when {fraction:.0%} are cut at either side")
    middles = (np.sort(component)[cut : cut + kept] for component in embeddings.T)
    return np.array([math.fsum(middle.tolist()) / kept for middle in middles])


class GeometricMedian(NamedTuple):
    """The point with the least sum of distances to the embeddings, as far as the iteration came."""

    point: NDArray[np.float64]
    iterations: int
    converged: bool


def geometric_median(embeddings: NDArray[np.float32], start: NDArray[np.float64]) -> GeometricMedian:
    """Weiszfeld's iteration from `start` (the mean, say), until a step is at most `TOLERANCE` long.

    Each step goes to the mean of the embeddings weighted by 1 / distance. Where the point has hit embeddings exactly,
    their weight would be infinite; the rule of Vardi and Zhang (2000, PNAS 97:1423) takes the step T without them, and
    goes the part max(0, 1 - k / |R|) of it, with k their number and R the sum of the unit vectors to all others: it
    stays where |R| <= k, which is when the point is the median.
    """
    point = start.astype(np.float64)
    for iteration in range(1, MAX_ITERATIONS + 1):
        step = _step(embeddings, point)
        point = point + step
        if math.sqrt(math.fsum((step * step).tolist())) <= TOLERANCE:
            return GeometricMedian(point, iteration, converged=True)
    return GeometricMedian(point, MAX_ITERATIONS, converged=False)


def _step(embeddings: NDArray[np.float32], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """What Weiszfeld's iteration adds to the point."""
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
    strength = math.sqrt(math.fsum((pull * pull).tolist()))
    if strength <= hits:
        return np.zeros(len(point))
    return pull / weight * (1 - hits / strength)
