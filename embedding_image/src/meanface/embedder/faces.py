"""Faces of a photo, before and after the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.stats.chip_sum import Chip

Embedding = NDArray[np.float32]
"""(128,)"""


class Box(NamedTuple):
    """A face's rectangle in pixels, within the photo; the order is `face_recognition`'s."""

    top: int
    right: int
    bottom: int
    left: int

    @property
    def area(self) -> int:
        """Square pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def shorter_side(self) -> int:
        """Pixels."""
        return min(self.bottom - self.top, self.right - self.left)


class LeftOut(NamedTuple):
    """How many of a photo's faces the settings leave out before the policy chooses."""

    min_face: int = 0
    min_score: int = 0
    """of those that are large enough"""


NONE_LEFT_OUT = LeftOut()


@dataclass(frozen=True)
class Face:
    """One face that counts."""

    index: int
    """its place in the detector's order"""
    box: Box
    score: float
    """the detector's, see `meanface.embedder.detector.Found`"""
    embedding: Embedding
    chip: Chip | None = None
    """the aligned face that the network saw; none where it was not kept"""


@dataclass(frozen=True)
class AlignedFace:
    """One face that counts, cut out of its photo."""

    index: int
    """its place in the detector's order"""
    box: Box
    score: float
    chip: Chip


@dataclass(frozen=True)
class Detection:
    """What was found in a photo, and the faces of it that count, which the network has not seen yet."""

    found: int
    chosen: tuple[AlignedFace, ...]
    left_out: LeftOut = NONE_LEFT_OUT


@dataclass(frozen=True)
class Faces:
    """What was found in a photo, and the faces of it that count."""

    found: int
    chosen: tuple[Face, ...]
    left_out: LeftOut = NONE_LEFT_OUT

    def without_chips(self) -> Faces:
        """The same faces, without a pixel of them."""
        return replace(self, chosen=tuple(replace(face, chip=None) for face in self.chosen))
