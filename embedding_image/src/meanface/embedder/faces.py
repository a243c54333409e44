"""A face of a photo, and the numbers of faces that are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.chip_sum import Chip

Embedding = NDArray[np.float32]
"""(d,), as many numbers as the embedder has dimensions"""


class Box(NamedTuple):
    """A face's rectangle within the photo, in pixels and in `face_recognition`'s order."""

    top: int
    right: int
    bottom: int
    left: int

    @property
    def area(self) -> int:
        """In square pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def shorter_side(self) -> int:
        """In pixels."""
        return min(self.bottom - self.top, self.right - self.left)


class LeftOut(NamedTuple):
    """Number of a photo's faces that the settings exclude before the policy chooses."""

    min_face: int = 0
    min_score: int = 0
    """of the faces that are large enough"""


NONE_LEFT_OUT = LeftOut()


@dataclass(frozen=True)
class Face:
    """A chosen face with its embedding."""

    index: int
    """in the detector's order"""
    box: Box
    score: float
    """the detector's, see `meanface.embedder.detector.dlib.Found`"""
    embedding: Embedding
    chip: Chip | None = None
    """None if it was not kept"""
    thumbnail: bytes | None = None
    """JPEG of the chip, see `meanface.ledger.thumbnails`"""
