"""dlib's own frontal face detector: the reference, and the fallback of the native one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

UPSAMPLE = 1
"""Doublings of the photo before detection, as in `face_recognition`; finds faces from 40 pixels. The
setting of that name has another number."""

SCORE_DIGITS = 2
"""Decimal places of a score; the detectors' sums of floats differ by about 1e-6."""


@cache
def dlib_version() -> str:
    """Version of the installed distribution of dlib, which is `dlib-bin` or `dlib`."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    try:
        return version("dlib-bin")
    except PackageNotFoundError:
        return version("dlib")


class Rectangle(Protocol):
    """A `dlib.rectangle`; corners are included, and may lie beyond the photo."""

    def left(self) -> int: ...  # noqa: D102 - dlib's own words
    def top(self) -> int: ...  # noqa: D102 - dlib's own words
    def right(self) -> int: ...  # noqa: D102 - dlib's own words
    def bottom(self) -> int: ...  # noqa: D102 - dlib's own words


class Found(NamedTuple):
    """A detected face."""

    rectangle: Rectangle
    """as dlib returns it, not clipped to the photo"""
    score: float
    """above the detector's threshold of 0, rounded; clear frontal faces have more than 1"""


class DlibDetector:
    """`dlib.get_frontal_face_detector()`."""

    name = "dlib"

    def __init__(self, upsample: int = UPSAMPLE) -> None:
        import dlib

        self._detect, self._upsample = dlib.get_frontal_face_detector(), upsample

    def find(self, photo: Pixels) -> list[Found]:
        """The faces, by falling score."""
        # A copy with the strides that dlib expects; NumPy leaves those of axes of length 1 open.
        rectangles, scores, _ = self._detect.run(np.array(photo, order="C"), self._upsample, 0.0)
        return [Found(*face) for face in zip(rectangles, map(rounded, scores), strict=True)]


def rounded(score: float) -> float:
    """A score as all detectors return it."""
    return round(score, SCORE_DIGITS)
