"""Find duplicates among the faces and photos of a scanned ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanface.results.scan import FaceScan, at_most, drawn
from meanface.stats.duplicates import CLOSE, FACES_COMPARED, Identical, PhotoHashes, close_pairs
from meanface.stats.models import CloseFaces, Duplicates, IdenticalPhotos

SHOWN = 20
"""close pairs that are listed"""
KEPT = 1_000
"""close pairs, and groups of identical photos, whose labels are compared"""


@dataclass(frozen=True)
class FoundDuplicates:
    """Photos with equal bytes, and pairs of almost equal faces."""

    hashes: PhotoHashes
    faces: int
    """that were compared"""
    step: int
    """one of this many consecutive faces, drawn at random, was compared"""
    total: int | None
    """pairs of close faces; None for too many"""
    pairs: list[tuple[int, int, float]]
    """the closest `KEPT`: positions of both photos, distance"""

    def identical(self) -> Identical:
        """The largest `KEPT` groups of photos with equal bytes."""
        return self.hashes.identical(groups=KEPT)

    def record(self, names: Callable[[Iterable[int]], Mapping[int, str]]) -> Duplicates:
        """The part of the statistics; `names` finds the names of photos by their positions."""
        identical, close = self.hashes.identical(), self.pairs[:SHOWN]
        wanted = [place for _, group in identical.largest for place in group]
        named = names([*wanted, *(place for pair in close for place in pair[:2])])
        return Duplicates(
            photos_compared=self.hashes.count,
            photos_step=self.hashes.step,
            identical_groups=identical.groups,
            identical_photos=identical.photos,
            identical=[
                IdenticalPhotos(photos=[named[place] for place in first], count=count)
                for count, first in identical.largest
            ],
            faces_compared=self.faces,
            faces_step=self.step,
            threshold=CLOSE,
            close_pairs=self.total,
            close=[CloseFaces(photos=(named[i], named[j]), distance=distance) for i, j, distance in close],
        )


def find_duplicates(faces: FaceScan, hashes: PhotoHashes, axis: NDArray[np.float64] | None) -> FoundDuplicates:
    """Find duplicates; `axis` is the first principal component of the faces, if there is one."""
    sample, positions, step = _one_of_identical(faces)
    axis = np.eye(1, sample.shape[1])[0] if axis is None else axis
    total, pairs = close_pairs(sample, positions, axis, keep=KEPT) or (None, [])
    near = [(int(positions[pair.first]), int(positions[pair.second]), pair.distance) for pair in pairs]
    return FoundDuplicates(hashes, len(sample), step * faces.step, total, near)


def _one_of_identical(faces: FaceScan) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """The sample without faces of photos whose bytes are those of an earlier photo, or a random part of it.

    It compares the sample's own photos: of a large run, only a part of all photos' hashes are known.
    """
    sample = faces.sample()
    _, first, which = np.unique(sample.contents, return_index=True, return_inverse=True)
    kept = np.flatnonzero(sample.positions == sample.positions[first][which])
    step = max(1, -(-len(kept) // at_most(FACES_COMPARED, sample.embeddings.shape[1])))
    kept = kept[drawn(np.arange(len(kept), dtype=np.uint64), step)]
    return sample.embeddings[kept], sample.positions[kept], step
