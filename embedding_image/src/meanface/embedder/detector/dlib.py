"""dlib's own frontal face detector: the reference, and what runs where the native one cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

UPSAMPLE = 1
"""How often the photo is doubled before detection, as `face_recognition` does; finds faces from 40 pixels on."""


SCORE_DIGITS = 2
"""Decimal places of a score: what all detectors agree on; their sums of floats differ by some 1e-6."""


def dlib_version() -> str:
    """Of the distribution that the module `dlib` comes from, one of two."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    try:
        return version("dlib-bin")
    except PackageNotFoundError:
        return version("dlib")


class Rectangle(Protocol):
    """What of a `dlib.rectangle` is read here; corners are included, and may lie beyond the photo."""

    def left(self) -> int: ...  # noqa: D102 - dlib's own words
    def top(self) -> int: ...  # noqa: D102 - dlib's own words
    def right(self) -> int: ...  # noqa: D102 - dlib's own words
    def bottom(self) -> int: ...  # noqa: D102 - dlib's own words


class Found(NamedTuple):
    """A face as a detector found it."""

    rectangle: Rectangle
    """as dlib gives it, not cut where it leaves the photo"""
    score: float
    """how far above the detector's threshold of 0, rounded to `SCORE_DIGITS`; clear frontal faces have more than 1"""


class DlibDetector:
    """`dlib.get_frontal_face_detector()`."""

    def __init__(self) -> None:
        import dlib

        self._detect = dlib.get_frontal_face_detector()

    @property
    def name(self) -> str:
        """For people."""
        return "dlib"

    def find(self, photo: Pixels) -> list[Found]:
        """The faces, by falling score."""
        # A copy, with the strides that dlib takes for granted; NumPy leaves those of axes of length 1 open.
        rectangles, scores, _ = self._detect.run(np.array(photo, order="C"), UPSAMPLE, 0.0)
        return [Found(*face) for face in zip(rectangles, map(rounded, scores), strict=True)]


def rounded(score: float) -> float:
    """A score as all detectors give it.

    >>> rounded(1.2349999)
    1.23
    """
    return round(score, SCORE_DIGITS)
