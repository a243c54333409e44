"""dlib's own frontal face detector: the reference, and what runs where the native one cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from meanface.photo import Pixels

UPSAMPLE = 1
"""How often the photo is doubled before detection, as `face_recognition` does; finds faces from 40 pixels on."""


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


class DlibDetector:
    """`dlib.get_frontal_face_detector()`."""

    def __init__(self) -> None:
        import dlib

        self._detect = dlib.get_frontal_face_detector()

    @property
    def name(self) -> str:
        """For people."""
        return "dlib"

    def find(self, photo: Pixels) -> list[Rectangle]:
        """The faces, by falling score."""
        # A copy, with the strides that dlib takes for granted; NumPy leaves those of axes of length 1 open.
        return list(self._detect(np.array(photo, order="C"), UPSAMPLE))
