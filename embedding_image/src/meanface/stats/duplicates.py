"""Duplicate photos: identical bytes, and faces that are almost equal; pure.

Neither search compares all pairs. Equal bytes are found by sorting hashes. Close faces are found by
sorting their projections onto one axis: the projections of two points are no farther apart than the
points (Cauchy-Schwarz), so only faces whose projections lie within the threshold are compared.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.exact_sum import slices

PHOTOS_COMPARED = 2_000_000
"""Most hashes held, 24 bytes each; of more, one in 2, 4, 8 ... is compared, chosen by its bits."""

CLOSE = 0.12
"""Embeddings no farther apart than this count as one photograph. Measured on 2,000 photos of LFW:
nine in ten copies that were scaled by 0.8 or 2, cropped by 8 pixels, or compressed again at quality
75 to 90 are within 0.10; the closest two photographs of one person are 0.17 apart, and of two
persons 0.36."""

FACES_COMPARED = 50_000
"""Of more, a sample is compared. As many faces as different as LFW's took 4 s of one core."""

MAX_PAIRS = 2_000_000
"""Of more close pairs than this, the search ends: such faces hardly differ, and pairs say
nothing."""

SHOWN_GROUPS, SHOWN_NAMES = 20, 10
"""groups of identical photos, and photos of each, that are listed"""

_TILE = 2048
_PARTS = 4096
_ROUNDING = 4e-5
"""of a squared distance computed in float32, relative to the longest embedding's square"""


class Identical(NamedTuple):
    """Photos with equal bytes, in groups."""

    groups: int
    photos: int
    """in all groups"""
    largest: list[tuple[int, list[int]]]
    """size of a group, and positions of its first photos; the largest group first, then by
    position"""


@dataclass
class PhotoHashes:
    """Hashes of photos' bytes, to find equal ones.

    It keeps the hashes that end in `bits` zeros, for the fewest bits that keep no more than
    `limit`: a function of the set of photos alone.
    """

    limit: int = PHOTOS_COMPARED
    bits: int = 0
    count: int = 0
    """number of hashes kept"""
    _kept: list[NDArray[np.uint64]] = field(default_factory=list)

    def add(self, positions: NDArray[np.int64], sha256: list[bytes]) -> None:
        """Add photos by their positions and the SHA-256 of their bytes."""
        halves = np.frombuffer(b"".join(sha256), "<u8").reshape(-1, 4)[:, :2]
        self._keep(np.column_stack([halves, positions.astype(np.uint64)]))
        while self.count > self.limit:
            self.bits += 1
            everything, self._kept, self.count = self._kept, [], 0
            for part in everything:
                self._keep(part)

    def _keep(self, rows: NDArray[np.uint64]) -> None:
        rows = rows[rows[:, 0] & np.uint64((1 << self.bits) - 1) == 0]
        if len(rows):
            self._kept.append(rows)
            self.count += len(rows)
            if len(self._kept) > _PARTS:  # an array takes 200 bytes, for a few rows each
                self._kept = [np.concatenate(self._kept)]

    @property
    def step(self) -> int:
        """One photo in this many is compared."""
        return 1 << self.bits

    def shared_with(self, other: PhotoHashes) -> int:
        """Number of distinct photos that are in both collections, at the coarser step of the two.

        64 bits of each hash are compared: with two million photos on each side, one in four million
        such comparisons takes two photos for one.
        """
        mask = np.uint64((1 << max(self.bits, other.bits)) - 1)
        mine, theirs = (
            np.concatenate([rows[rows[:, 0] & mask == 0, 0] for rows in each._kept] or [np.empty(0, np.uint64)])
            for each in (self, other)
        )
        return len(np.intersect1d(mine, theirs))

    def identical(self, groups: int = SHOWN_GROUPS, names: int = SHOWN_NAMES) -> Identical:
        """Photos with equal bytes; the positions of the first `names` of the largest `groups`."""
        if not self._kept:
            return Identical(0, 0, [])
        rows = np.concatenate(self._kept)
        self._kept = [rows]
        rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
        starts = np.flatnonzero(np.append(True, (rows[1:, :2] != rows[:-1, :2]).any(axis=1)))
        counts = np.diff(starts, append=len(rows))
        starts, counts = starts[counts > 1], counts[counts > 1]
        order = np.lexsort((rows[starts, 2], -counts))[:groups]
        shown = zip(starts[order].tolist(), counts[order].tolist(), strict=True)
        largest = [(count, rows[start : start + min(count, names), 2].tolist()) for start, count in shown]
        return Identical(len(starts), int(counts.sum()), largest)


class Pair(NamedTuple):
    """Two rows of the embeddings and their distance."""

    distance: float
    first: int
    second: int


def close_pairs(
    embeddings: NDArray[np.float32],
    photos: NDArray[np.int64],
    axis: NDArray[np.float64],
    threshold: float = CLOSE,
    keep: int = 20,
) -> tuple[int, list[Pair]] | None:
    """Count the pairs of faces of different photos within a distance, and name the closest `keep`.

    Rows of float32[n, d] are faces; `photos` has the photo of each, `threshold` the Euclidean
    distance. `axis` is a unit vector; the first principal component spreads the rows most, and so
    compares fewest. None for more than `MAX_PAIRS`.
    """
    centred = embeddings - embeddings.mean(axis=0) if len(embeddings) else embeddings
    places = np.empty(len(centred))
    for part in slices(len(centred)):
        places[part] = embeddings[part].astype(np.float64) @ axis
    order = np.argsort(places, kind="stable")
    places, rows = places[order], np.ascontiguousarray(centred[order])
    ends = np.searchsorted(places, places + threshold * (1 + 1e-6) + 1e-9, side="right")
    squares = (rows * rows).sum(axis=1)
    slack = _ROUNDING * float(squares.max(initial=0.0))
    total, best = 0, list[Pair]()
    for start in range(0, len(rows), _TILE):
        stop = min(start + _TILE, len(rows))
        for left in range(start, int(ends[stop - 1]), _TILE):
            right = min(left + _TILE, int(ends[stop - 1]))
            apart = squares[start:stop, None] + squares[left:right] - 2 * (rows[start:stop] @ rows[left:right].T)
            i, j = np.nonzero(apart <= threshold**2 + slack)
            i, j = i + start, j + left
            i, j = order[i[i < j]], order[j[i < j]]
            apart_photos = photos[i] != photos[j]
            count, pairs = _exactly(embeddings, i[apart_photos], j[apart_photos], threshold, keep)
            total += count
            if total > MAX_PAIRS:
                return None
            best = heapq.nsmallest(keep, itertools.chain(best, pairs))
    return total, best


def _exactly(
    embeddings: NDArray[np.float32], first: NDArray[np.intp], second: NDArray[np.intp], threshold: float, keep: int
) -> tuple[int, list[Pair]]:
    """Count, in float64, the close pairs among candidates of float32, and name the closest."""
    total, best = 0, list[Pair]()
    for start in range(0, len(first), _TILE):
        a, b = first[start : start + _TILE], second[start : start + _TILE]
        away = embeddings[a].astype(np.float64) - embeddings[b]
        distances = np.sqrt((away * away).sum(axis=1))
        close = np.flatnonzero(distances <= threshold)
        total += len(close)
        pairs = (Pair(float(distances[n]), *sorted((int(a[n]), int(b[n])))) for n in close)
        best = heapq.nsmallest(keep, itertools.chain(best, pairs))
    return total, best
