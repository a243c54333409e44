"""dlib's CNN face detector: our own code for it, or dlib's where that cannot run.

`native/cnn/` has our own. It gives a score the same bits on every CPU that it supports, with every
kind of kernels. It adds in another order than dlib, whose scores differ by about 1e-6: only where
two overlapping windows are as near to each other as that can the boxes differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanface.embedder import dlib_models
from meanface.embedder.decode import PhotoRefused
from meanface.embedder.detector.cnn_file import CNN_SHA256, cnn_weights
from meanface.embedder.detector.dlib import UPSAMPLE, Found, rounded
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.network import usable_kernels
from meanface.outcome import Outcome

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels
    from meanface.embedder.detector import Detector

VERSION = 1
"""of the native detector's bits: part of the recipe. Raise it if any bit of a score changes."""

LARGEST = 1 << 15
"""pixels of a photo's side, as in `native/geometry.hpp`"""

LEAST_ROWS, LEAST_COLUMNS = 7, 10
"""of a photo after its doublings, as in `native/cnn/parameters.hpp`; dlib fails for smaller ones"""

WITHOUT_NATIVE = (
    "dlib's own CNN detector runs, many times slower, with more memory and with other last bits: the native one needs "
    "a CPU with AVX2 (x86-64) or a 64-bit ARM, and a C++17 compiler when meanface is installed"
)


class NativeCnnDetector:
    """The detector with one of `usable_kernels()`, for any number of threads; it lets others run.

    `path` is dlib's file; DamagedRecord if it is another one. PhotoRefused for a photo that is too
    large.
    """

    def __init__(self, kernels: str, upsample: int = UPSAMPLE, path: Path | None = None) -> None:
        from meanface.embedder import _native

        weights = cnn_weights(path)
        limits = (float(weights.limits[0]), float(weights.limits[1]))
        self._detector = _native.CnnDetector(
            kernels, parameters=weights.parameters(), mean=weights.mean, overlap=limits
        )
        self._upsample = upsample
        self.name = f"native-{kernels}"

    def find(self, photo: Pixels) -> list[Found]:
        """The faces, by falling score."""
        import dlib

        if max(photo.shape[:2]) > LARGEST:
            raise PhotoRefused(Outcome.TOO_LARGE, f"a side has more than {LARGEST:,} pixels: use detector=hog")
        faces = self._detector.find(np.ascontiguousarray(photo), doublings=self._upsample)
        return [Found(dlib.rectangle(*face[:4]), rounded(face[4])) for face in faces]


class DlibCnnDetector:
    """`dlib.cnn_face_detection_model_v1`."""

    name = "dlib"

    def __init__(self, upsample: int = UPSAMPLE) -> None:
        import dlib

        self._upsample = upsample
        self._model: Any = dlib.cnn_face_detection_model_v1(str(dlib_models.cnn_detector_path()))

    def find(self, photo: Pixels) -> list[Found]:
        """The faces, by falling score."""
        return found_by_dlib(self._model, photo, self._upsample)


def found_by_dlib(model: Any, photo: Pixels, upsample: int = UPSAMPLE) -> list[Found]:
    """The faces that a `dlib.cnn_face_detection_model_v1` finds; none in a photo for which it is too small."""
    rows, columns = photo.shape[:2]
    for _ in range(upsample):
        rows, columns = 2 * rows + 1, 2 * columns + 2  # as dlib doubles a photo
    if rows < LEAST_ROWS or columns < LEAST_COLUMNS:
        return []
    return [Found(face.rect, rounded(face.confidence)) for face in model(np.array(photo, order="C"), upsample)]


def implementation() -> str:
    """What decides the bits of this machine's scores: the native detector's version, or dlib."""
    return f"native {VERSION}" if usable_kernels() else DlibCnnDetector.name


def identity(upsample: int, *, own: bool) -> dict[str, str]:
    """Components that affect boxes and scores; `own` if the native detector may run."""
    return {
        "detector": f"dlib CNN, upsampled {upsample} time(s)",
        "detector_weights": CNN_SHA256,
        "detector_code": implementation() if own else DlibCnnDetector.name,
    }


def cnn_kernels(choice: KernelChoice) -> str | None:
    """Kernels for a choice, which cannot change a bit; None if only dlib's own detector is there."""
    usable = usable_kernels()
    if not usable:
        return None
    return choice.value if choice in usable else usable[0]


def cnn_name(choice: KernelChoice) -> str:
    """Name of the detector that a choice selects: `native-` and the kernels, or `dlib`."""
    kernels = cnn_kernels(choice)
    return f"native-{kernels}" if kernels else DlibCnnDetector.name


def open_cnn(choice: KernelChoice = KernelChoice.AUTO, upsample: int = UPSAMPLE) -> Detector:
    """Load the CNN detector."""
    kernels = cnn_kernels(choice)
    return DlibCnnDetector(upsample) if kernels is None else NativeCnnDetector(kernels, upsample)
