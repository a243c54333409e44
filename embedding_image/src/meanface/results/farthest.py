"""Faces that are far from their label's mean, as columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Farthest(NamedTuple):
    """The faces that are farthest from their label's mean without them, in the manifest's order."""

    embeddings: NDArray[np.float32]
    positions: NDArray[np.int64]
    faces: NDArray[np.int32]
    codes: NDArray[np.intp]
    """numbers of their labels"""
    distances: NDArray[np.float64]
    """to the mean of the label's other faces; infinite if there are none"""
    photos: NDArray[np.object_]
    """names"""

    def take(self, rows: NDArray[np.intp]) -> Farthest:
        """Some of the faces."""
        return Farthest(
            self.embeddings[rows],
            self.positions[rows],
            self.faces[rows],
            self.codes[rows],
            self.distances[rows],
            self.photos[rows],
        )

    @classmethod
    def joined(cls, parts: list[Farthest]) -> Farthest:
        """All faces of some parts, at least one."""
        return cls(
            np.concatenate([part.embeddings for part in parts]),
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.faces for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.distances for part in parts]),
            np.concatenate([part.photos for part in parts]),
        )
