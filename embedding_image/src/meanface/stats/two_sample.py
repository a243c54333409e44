"""Test whether two means differ significantly; pure.

The statistic is T = |mean_A - mean_B|^2. If both collections are independent draws from one and the
same population of means, their difference is asymptotically normal (the central limit theorem) with
a covariance S. Then T is distributed as the sum of l_i z_i^2, with l_i the eigenvalues of S and z_i
independent standard normal: a mixture of chi-squares. The two covariances need not be equal (the
Behrens-Fisher problem), and S need not have full rank, which Hotelling's T^2 would require and
dlib's embeddings do not have. It is one test of all components together, so there is no
correction for multiple tests.

**Draws.** Of a side without labels, faces are drawn: it adds its covariance / n to S. Of a side
with labels, labels are drawn, as photos of one person are alike: with s_g the sum over the faces i
of label g of (x_i - mean), G labels and N faces, d_g = sqrt(G / (G - 1)) s_g / N, and it adds the
sum of all d_g d_g^T. This is CR1, the cluster-robust covariance of `meanface.stats.labels`. A label
on both sides is one draw, whose noise is in both means and cancels in part: it adds (d_Ag -
d_Bg)(d_Ag - d_Bg)^T, as for a regression on a constant and an indicator of the side with clusters
that span both (Cameron and Miller 2015, Journal of Human Resources 50:317, equation 11). Where
equal labels mean different people, the additional cross terms are zero on average: it is right in
both cases.

**S is an estimate**, and with few draws a poor one: T may be large, or the estimate small, by
chance. So T / tr S is compared with (sum of w_i z_i^2) / (chi^2_f / f) with w_i = l_i / tr S:
Satterthwaite's approximation (1946, Biometrics Bulletin 2:110) of the distribution of an estimated
tr S, as in the F test of Brunner, Dette and Munk (1997, JASA 92:1494). For one direction and one
side that varies it is Student's t. With S_p the part of S from k_p draws, f = (tr S)^2 / sum of
tr(S_p^2) / (k_p - 1). For faces k = n. For labels, which weigh unequally, k is (sum |d_g|^2)^2 /
sum |d_g|^4, an effective number of clusters (Carter, Schnepel and Steigerwald 2017, Review of
Economics and Statistics 99:698): G if all weigh the same, near 1 if one label is nearly everything.

The probability is simulated with a fixed seed: p = (1 + draws with at least T) / (1 + draws), which
is never 0 (Davison and Hinkley 1997, Bootstrap Methods and their Application, section 4.2). The
smallest possible p is 1 / (1 + `DRAWS`); at p = 0.001 its own standard error is 0.00007. Tests
simulate how often p is below `LEVEL` for equal means: as often as it says, or less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.labels import LabelMeans
from meanface.stats.moments import Moments

DRAWS = 200_000
SEED = 20_260_101
_BLOCK = 10_000  # draws at a time, 10 MB
_ROUNDING = 1e-12  # of the largest eigenvalue: smaller ones count as 0

FEWEST = 30
"""Fewest faces or labels on each side for which the normal distribution is assumed."""
LEVEL = 0.001
"""A difference with a smaller p is significant."""

Vector = NDArray[np.float64]


class Side(NamedTuple):
    """One of the two collections; it has at least one face."""

    moments: Moments
    labels: LabelMeans | None = None
    """of all of its faces; None takes the faces as independent"""


@dataclass(frozen=True)
class Difference:
    """Difference of two means."""

    distance: float
    """Euclidean"""
    cosine: float | None
    """of the angle between both; None if one is the zero vector"""
    largest: float
    """largest difference of a component, in magnitude"""
    component: int
    """index of that component"""
    labels: tuple[int | None, int | None]
    """number of labels of each side, taken as independent; None if its faces are"""
    shared_labels: int
    """labels on both sides"""
    expected: float | None
    """average distance by noise alone (root mean square); None if unknown"""
    p: float | None
    """probability of at least this distance under equal means; None if unknown"""
    why_no_p: str | None

    @property
    def significant(self) -> bool | None:
        """Whether the difference is significant; None if unknown."""
        return None if self.p is None else self.p < LEVEL


class _Part(NamedTuple):
    """Contribution of some draws to the difference's covariance."""

    covariance: Vector
    draws: float
    """effective number: as many draws of equal weight"""


def difference(a: Side, b: Side) -> Difference:
    """Compare two means: their distance, and the probability of it by noise alone.

    ValueError for embeddings of two dimensions.
    """
    if a.moments.dimensions != b.moments.dimensions:
        dimensions = f"{a.moments.dimensions:,} and of {b.moments.dimensions:,}"
        raise ValueError(f"means of {dimensions} dimensions have no distance")
    mean_a, mean_b = a.moments.mean(), b.moments.mean()
    away = mean_a - mean_b
    square = math.fsum((away * away).tolist())
    norms = math.sqrt(math.fsum((mean_a**2).tolist()) * math.fsum((mean_b**2).tolist()))
    component = int(np.argmax(np.abs(away)))
    noise = _noise(a, b)
    known = None if isinstance(noise, str) else noise
    return Difference(
        distance=math.sqrt(square),
        cosine=math.fsum((mean_a * mean_b).tolist()) / norms if norms else None,
        largest=float(abs(away[component])),
        component=component,
        labels=(len(a.labels.names) if a.labels else None, len(b.labels.names) if b.labels else None),
        shared_labels=len(set(a.labels.names).intersection(b.labels.names)) if a.labels and b.labels else 0,
        expected=known and math.sqrt(math.fsum(known[0].tolist())),
        p=known and tail(known[0], square, known[1]),
        why_no_p=noise if isinstance(noise, str) else None,
    )


def tail(weights: Vector, statistic: float, freedom: float = math.inf, draws: int = DRAWS) -> float:
    """Probability that sum of weights[i] * z_i^2 is at least `statistic`, z_i standard normal.

    With `freedom`, at least `statistic` times an independent chi-squared with this many degrees of
    freedom, divided by them.

    >>> 0.045 < tail(np.array([1.0]), 3.841) < 0.055  # 95 % quantile of chi-squared, 1 degree
    True
    >>> 0.045 < tail(np.array([1.0]), 2.045**2, 29) < 0.055  # and of Student's t with 29
    True
    """
    random = np.random.Generator(np.random.PCG64(SEED))
    weights = weights[weights > 0]
    reached = 0
    for start in range(0, draws, _BLOCK):
        block = min(_BLOCK, draws - start)
        normal = random.standard_normal((block, len(weights)))
        scale = random.chisquare(freedom, block) / freedom if freedom < math.inf else 1.0
        reached += int(np.count_nonzero((normal * normal) @ weights >= statistic * scale))
    return (1 + reached) / (1 + draws)


def _noise(a: Side, b: Side) -> tuple[Vector, float] | str:
    """Eigenvalues of the difference's covariance, and f of the module; or why they are unknown."""
    for name, side in (("A", a), ("B", b)):
        labels = side.labels and len(side.labels.names)
        draws, drawn = (side.moments.count, "faces") if labels is None else (labels, "labels")
        if draws < FEWEST:
            return f"{draws} {drawn} on side {name} are too few: {FEWEST} are needed"
    for name, side in (("A", a), ("B", b)):
        if side.labels is None and not side.moments.has_covariance:
            return f"side {name} has no covariance: of {side.moments.dimensions:,} dimensions none is kept"
    unlabelled = [side.moments for side in (a, b) if side.labels is None]
    parts = [_Part(moments.covariance() / moments.count, moments.count) for moments in unlabelled]
    if len(parts) < 2:
        parts.append(_of_labels(a, b))
    covariance = sum((part.covariance for part in parts), np.zeros(()))
    weights = np.linalg.eigvalsh(covariance).astype(np.float64)
    if weights[-1] <= 0:
        return "neither side varies"
    weights[weights < _ROUNDING * weights[-1]] = 0
    uncertainty = sum(float((part.covariance**2).sum()) / (part.draws - 1) for part in parts)
    return weights, float(np.trace(covariance)) ** 2 / uncertainty


def _of_labels(a: Side, b: Side) -> _Part:
    """The part of the sides with labels; a label on both is one draw."""
    rows: dict[str, Vector] = {}
    for side, sign in ((a, 1), (b, -1)):
        if side.labels is not None:
            names, faces, means = side.labels
            factor = sign * math.sqrt(len(names) / (len(names) - 1)) / side.moments.count
            scores = factor * faces[:, None] * (means - side.moments.mean())
            for name, score in zip(names, scores, strict=True):
                rows[name] = rows[name] + score if name in rows else score
    matrix = np.array([rows[name] for name in sorted(rows)])
    squares = (matrix * matrix).sum(axis=1)
    total = float(squares.sum())
    return _Part(matrix.T @ matrix, total**2 / float((squares * squares).sum()) if total else math.inf)
