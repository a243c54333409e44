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
    """A face's rectangle within the upright photo, in pixels and in `face_recognition`'s order.

    Examples
    --------
    >>> Box(top=10, right=70, bottom=60, left=30).area
    2000
    """

    top: int
    """first row"""
    right: int
    """column behind the last"""
    bottom: int
    """row behind the last"""
    left: int
    """first column"""

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
    """A face with its embedding.

    Examples
    --------
    >>> import meanface
    >>> from meanface.dataset import SAMPLE
    >>> (face,) = meanface.embed(SAMPLE / "grace_hopper/grace_hopper.jpg")
    >>> face.box
    Box(top=139, right=366, bottom=325, left=180)
    >>> face.embedding.shape, face.embedding.dtype.name
    ((128,), 'float32')
    """

    index: int
    """in the detector's order"""
    box: Box
    """where it is"""
    score: float
    """of the detector, above 0; clear frontal faces have more than 1"""
    embedding: Embedding
    """float32[n], without a unit; a smaller Euclidean distance means more alike"""
    chip: Chip | None = None
    """the aligned face, uint8[150, 150, 3]; None if it was not kept"""
    thumbnail: bytes | None = None
    """JPEG of the chip, see `meanface.ledger.thumbnails`"""
