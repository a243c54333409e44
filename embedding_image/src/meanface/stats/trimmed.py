"""The metrically trimmed mean of a label's faces, which a wrong photo does not move; pure.

It is the mean of the faces without those that are farthest from their coordinate-wise median: one
in `TRIMMED` of them, and one of three or four. Trimming by distance from the median is Kim's (1992,
Annals of Statistics 20:1534). A trimmed mean of each component by itself would need ten faces to
lose one, and would mix components of different faces. Half of the faces must be wrong before the
median goes with them. Of one or two faces none can be told to be wrong, and all count.

The faces are sorted by their bytes first, which settles equal distances: the result depends on the
set of faces alone, not on their order. It is summed exactly and rounded once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanface.stats.exact_sum import ExactSum

TRIMMED = 5
"""one in this many faces is left out"""

Faces = NDArray[np.float32]


def left_out(faces: int) -> int:
    """Number of faces that are left out.

    >>> [left_out(faces) for faces in (1, 2, 3, 9, 10, 530)]
    [0, 0, 1, 1, 2, 106]
    """
    return max(faces // TRIMMED, 1) if faces > 2 else 0


def in_order(faces: Faces) -> NDArray[np.intp]:
    """Order the rows by their bytes."""
    keys = np.ascontiguousarray(faces).view(f"V{faces.itemsize * faces.shape[1]}").ravel()
    order: NDArray[np.intp] = np.argsort(keys, kind="stable")
    return order


def metrically_trimmed_mean(faces: Faces) -> NDArray[np.float64]:
    """The trimmed mean of float32[n, d], n at least 1, as float64[d].

    >>> rows = np.array([[0.0], [1.0], [2.0], [1000.0]], np.float32)
    >>> metrically_trimmed_mean(np.repeat(rows, 128, axis=1))[0]
    np.float64(1.0)
    """
    faces = faces[in_order(faces)]
    return ExactSum.of(faces[_kept(faces.astype(np.float64), np.median(faces.astype(np.float64), axis=0))]).mean()


class LeaveOneOut:
    """Trimmed means of a label's faces without one of them, in float64; of at least two faces."""

    def __init__(self, faces: Faces) -> None:
        self._order = in_order(faces)
        self._faces = faces[self._order].astype(np.float64)
        self._place = np.argsort(self._order)
        columns = np.argsort(self._faces, axis=0, kind="stable")
        self._sorted = np.take_along_axis(self._faces, columns, axis=0)
        self._ranks = np.argsort(columns, axis=0)

    def without(self, row: int) -> NDArray[np.float64]:
        """The trimmed mean of all faces but the one in this row of the given ones, float64[d]."""
        place = self._place[row]
        others = np.delete(np.arange(len(self._faces)), place)
        faces = self._faces[others]
        mean: NDArray[np.float64] = faces[_kept(faces, self._median(place))].mean(axis=0)
        return mean

    def _median(self, place: int) -> NDArray[np.float64]:
        """The coordinate-wise median without a face: in each sorted column, those behind it move up by one."""
        count, rank = len(self._faces) - 1, self._ranks[place]
        middles = []
        for index in ((count - 1) // 2, count // 2):
            at = index + (index >= rank)
            middles.append(self._sorted[at, np.arange(len(rank))])
        median: NDArray[np.float64] = (middles[0] + middles[1]) / 2
        return median


def _kept(faces: NDArray[np.float64], median: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows that stay, in order."""
    away = faces - median
    order = np.argsort((away * away).sum(axis=1), kind="stable")
    return np.sort(order[: len(faces) - left_out(len(faces))])
