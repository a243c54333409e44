"""Whether two means differ beyond noise, pure.

The statistic is T = |mean_A - mean_B|^2. If both collections are independent draws of faces with one and the same mean,
their difference is close to normal (the central limit theorem) with covariance S = S_A / n_A + S_B / n_B, and then T is
distributed as the sum of l_i z_i^2, with l_i the eigenvalues of S and z_i independent standard normal: a mixture of
chi-squares. Nothing is assumed of the two covariances; they need not be equal (the Behrens-Fisher problem), and S need
not have full rank, which Hotelling's T^2 would ask for, and which dlib's embeddings do not have. It is one test of all
128 components together, so that nothing has to be corrected for testing many.

The probability is found by simulation with a fixed seed: p = (1 + draws with at least T) / (1 + draws), which is never
0 and does not exceed its level (Davison and Hinkley 1997, Bootstrap Methods and their Application, section 4.2). The
smallest p that can be told is 1 / (1 + `DRAWS`). At p = 0.05 its own standard error is 0.0005.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanface.moments import Moments

DRAWS = 200_000
SEED = 20_260_101
_BLOCK = 10_000  # draws at a time, 10 MB

FEWEST = 30
"""Faces on either side, below which the normal distribution is no promise and nothing is said."""
LEVEL = 0.001
"""A difference with a smaller p is called beyond noise."""


@dataclass(frozen=True)
class Difference:
    """How two means differ."""

    distance: float
    """Euclidean"""
    cosine: float | None
    """of the angle between both; None where one is the zero vector"""
    largest: float
    """of the components' differences, in magnitude"""
    component: int
    """which one that is"""
    expected: float | None
    """the distance that noise alone gives on average (root mean square); None where it is unknown"""
    p: float | None
    """probability of a distance of at least this under equal means; None where nothing can be said"""
    why_no_p: str | None

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the difference is more than noise; None where nothing can be said."""
        return None if self.p is None else self.p < LEVEL


def difference(a: Moments, b: Moments) -> Difference:
    """How far the means of two collections, each with a face, are apart, and how often noise would do that."""
    mean_a, mean_b = a.mean(), b.mean()
    away = mean_a - mean_b
    square = math.fsum((away * away).tolist())
    norms = math.sqrt(math.fsum((mean_a**2).tolist()) * math.fsum((mean_b**2).tolist()))
    component = int(np.argmax(np.abs(away)))
    weights, why = _weights(a, b)
    return Difference(
        distance=math.sqrt(square),
        cosine=math.fsum((mean_a * mean_b).tolist()) / norms if norms else None,
        largest=float(abs(away[component])),
        component=component,
        expected=None if weights is None else math.sqrt(math.fsum(weights.tolist())),
        p=None if weights is None else tail(weights, square),
        why_no_p=why,
    )


def tail(weights: NDArray[np.float64], statistic: float, draws: int = DRAWS) -> float:
    """Probability that the sum of weights[i] * z_i^2, with z_i standard normal, is at least `statistic`.

    >>> 0.045 < tail(np.array([1.0]), 3.841) < 0.055  # the 95 % quantile of chi-squared with one degree of freedom
    True
    """
    random = np.random.Generator(np.random.PCG64(SEED))
    weights = weights[weights > 0]
    reached = 0
    for start in range(0, draws, _BLOCK):
        normal = random.standard_normal((min(_BLOCK, draws - start), len(weights)))
        reached += int(np.count_nonzero((normal * normal) @ weights >= statistic))
    return (1 + reached) / (1 + draws)


def _weights(a: Moments, b: Moments) -> tuple[NDArray[np.float64] | None, str | None]:
    """Eigenvalues of the difference's covariance, or why there are none."""
    fewest = min(a.count, b.count)
    if fewest < FEWEST:
        return None, f"{fewest} faces on one side are too few for a statement: {FEWEST} are needed"
    values = np.linalg.eigvalsh(a.covariance() / a.count + b.covariance() / b.count)
    if values[-1] <= 0:
        return None, "neither side varies"
    return np.maximum(values, 0.0), None
