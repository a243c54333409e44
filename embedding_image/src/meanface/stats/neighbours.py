"""Exact nearest neighbours by matrix product, in blocks; pure.

Vectors are rounded to a grid that is so coarse that every product and every sum of products is an
integer below 2^53, which float64 holds exactly. So the matrix product has the same bits whatever
order a linear algebra library adds in. Distances on the grid differ from the true ones by at most
`Gallery.error`. Where this could change a decision, the distance is computed again in float64, from
the two vectors alone. The answers are those of comparing all pairs in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.exact_sum import slices

BINS = 4096
"""of the histogram of distances"""

_BLOCK = 4_000_000
"""squared distances at a time: 32 MB"""
_HEADROOM = 4
"""a query's components may be this many times as large as those of the gallery"""

Vectors = NDArray[np.float64] | NDArray[np.float32]


class Nearest(NamedTuple):
    """The nearest vectors of each query, nearest first; of equally near ones, the first."""

    distances: NDArray[np.float64]
    """(queries, k)"""
    indices: NDArray[np.intp]


class Others(NamedTuple):
    """How each query compares with all vectors but its own."""

    nearer: NDArray[np.int64]
    """vectors no farther from the query than its own distance"""
    distance: NDArray[np.float64]
    """to the nearest one; infinite if there is none"""
    which: NDArray[np.intp]
    """its number"""
    counts: NDArray[np.int64]
    """histogram of all distances, `BINS` + 1 bins of `bin_width`; the last one has the rest"""
    bin_width: float
    """a power of two, for which no distance, nor any query's own, is in the rest"""


class Gallery:
    """Vectors, (n, d), at least one, that queries are compared with.

    >>> gallery = Gallery(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    >>> found = gallery.nearest(np.array([[0.0, 0.0]]), 2)
    >>> found.distances.tolist(), found.indices.tolist()
    ([[0.0, 1.0]], [[0, 2]])
    """

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors
        dimension = vectors.shape[1]
        self._limit = _HEADROOM * float(np.abs(vectors).max()) or 1.0
        # d * (2 * limit * 2^bits)^2 <= 2^52
        self._bits = 25 - math.ceil(math.log2(self._limit * math.sqrt(dimension)))
        self.error = math.sqrt(dimension) * 2.0**-self._bits
        """bound on the rounding of a distance"""
        self._grid = self._rounded(vectors)
        self._squares = (self._grid * self._grid).sum(axis=1)

    def nearest(self, queries: Vectors, k: int) -> Nearest:
        """Find the `k` nearest vectors of each query, or all if there are fewer."""
        k = min(k, len(self.vectors))
        distances, indices = np.empty((len(queries), k)), np.empty((len(queries), k), np.intp)
        for rows, approximate in self._blocks(queries):
            bound = np.partition(approximate, k - 1, axis=1)[:, k - 1 : k] + 2 * self.error
            found = self._exactly(queries, rows, *np.nonzero(approximate <= bound))
            order = np.lexsort((found.which, found.distance, found.query))
            first = np.searchsorted(found.query[order], np.arange(rows.start, rows.stop))
            chosen = order[first[:, None] + np.arange(k)]
            distances[rows], indices[rows] = found.distance[chosen], found.which[chosen]
        return Nearest(distances, indices)

    def others(self, queries: Vectors, own: NDArray[np.intp], distances: NDArray[np.float64]) -> Others:
        """Compare each query with all vectors but the one at `own`.

        `distances` has each query's own distance, computed elsewhere; it may be infinite.
        """
        nearer, counts = np.empty(len(queries), np.int64), np.zeros(BINS + 1, np.int64)
        width = self._bin_width(queries, distances)
        nearest, which = np.full(len(queries), np.inf), np.zeros(len(queries), np.intp)
        for rows, approximate in self._blocks(queries):
            lines = np.arange(len(approximate))
            counts += _histogram(approximate.ravel(), width)
            counts -= _histogram(approximate[lines, own[rows]], width)
            approximate[lines, own[rows]] = np.inf
            limit = np.where(np.isfinite(distances[rows]), distances[rows], np.finfo(float).max)[:, None]
            nearer[rows] = (approximate < limit - self.error).sum(axis=1)
            near = self._exactly(queries, rows, *np.nonzero(np.abs(approximate - limit) <= self.error))
            np.add.at(nearer, near.query[near.distance <= distances[near.query]], 1)
            if approximate.shape[1] > 1:
                bound = approximate.min(axis=1)[:, None] + 2 * self.error
                found = self._exactly(queries, rows, *np.nonzero(approximate <= bound))
                order = np.lexsort((found.which, found.distance, found.query))
                first = order[np.searchsorted(found.query[order], np.arange(rows.start, rows.stop))]
                nearest[rows], which[rows] = found.distance[first], found.which[first]
        return Others(nearer, nearest, which, counts, width)

    def squared(self, queries: Vectors) -> NDArray[np.float64]:
        """Squared distances on the grid, (queries, n), of as many queries as memory has room for."""
        if len(queries) and np.abs(queries).max() > self._limit:
            return self._directly(queries)
        grid = self._rounded(queries)
        whole = self._squares - 2 * (grid @ self._grid.T) + (grid * grid).sum(axis=1)[:, None]
        squares: NDArray[np.float64] = np.ldexp(whole, -2 * self._bits)
        return squares

    def _directly(self, queries: Vectors) -> NDArray[np.float64]:
        """As `squared`, for queries that the grid does not hold."""
        return np.array([((self.vectors - query.astype(np.float64)) ** 2).sum(axis=1) for query in queries])

    def _rounded(self, vectors: Vectors) -> NDArray[np.float64]:
        return np.rint(np.ldexp(vectors.astype(np.float64), self._bits))

    def _blocks(self, queries: Vectors) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Approximate distances of a block of queries to all vectors."""
        size = max(1, _BLOCK // len(self.vectors))
        for start in range(0, len(queries), size):
            rows = slice(start, min(start + size, len(queries)))
            yield rows, np.sqrt(self.squared(queries[rows]))

    def _bin_width(self, queries: Vectors, own: NDArray[np.float64]) -> float:
        """A width for which all distances of these queries are below the last edge."""
        farthest = _longest(self.vectors) + _longest(queries) + self.error
        reach = max(farthest, float(own[np.isfinite(own)].max(initial=0.0)))
        return math.ldexp(1.0, math.frexp(reach)[1]) / BINS

    def _exactly(self, queries: Vectors, rows: slice, lines: NDArray[Any], columns: NDArray[Any]) -> _Pairs:
        """Distances in float64 of some pairs of a block, each from its two vectors alone."""
        distances = np.empty(len(lines))
        for part in slices(len(lines)):
            away = queries[rows][lines[part]].astype(np.float64) - self.vectors[columns[part]]
            distances[part] = np.sqrt((away * away).sum(axis=1))
        return _Pairs(lines + rows.start, columns, distances)


def _longest(vectors: Vectors) -> float:
    """The length of the longest vector."""
    parts = (vectors[part].astype(np.float64) for part in slices(len(vectors)))
    return math.sqrt(max((float((part * part).sum(axis=1).max()) for part in parts), default=0.0))


def _histogram(distances: NDArray[np.float64], width: float) -> NDArray[np.int64]:
    bins = np.minimum(distances / width, BINS).astype(np.intp)
    return np.bincount(bins, minlength=BINS + 1)


class _Pairs(NamedTuple):
    query: NDArray[np.intp]
    which: NDArray[np.intp]
    distance: NDArray[np.float64]
