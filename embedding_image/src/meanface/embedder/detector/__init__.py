"""Where faces are in a photo: dlib's frontal face detector, its own or a faster one that gives the same boxes.

Which one runs is a matter of the machine and of `MEANFACE_DETECTOR`, not of a run's settings: it cannot change results,
and so it is not part of a run's fingerprint (decision 9 in docs/decisions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from meanface.embedder.detector.choice import DetectorChoice, detector_name, kernels_for, usable_kernels
from meanface.embedder.detector.dlib import UPSAMPLE, DlibDetector, Found, Rectangle, dlib_version, rounded

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

__all__ = [
    "UPSAMPLE",
    "Detector",
    "DetectorChoice",
    "DlibDetector",
    "Found",
    "Rectangle",
    "detector_name",
    "dlib_version",
    "open_detector",
    "prepare",
    "rounded",
    "usable_kernels",
]


class Detector(Protocol):
    """Finds faces; not thread-safe."""

    @property
    def name(self) -> str:
        """`native-avx512`, `native-avx2` or `dlib`."""
        ...

    def find(self, photo: Pixels) -> list[Found]:
        """The faces in dlib's order, which is by falling score; boxes and rounded scores are the same in each."""
        ...


def open_detector(choice: DetectorChoice = DetectorChoice.AUTO, cache: str | None = None) -> Detector:
    """The detector that a choice comes to on this machine.

    Raises
    ------
    SettingsError
        if this machine cannot do what was asked for
    """
    kernels = kernels_for(choice)
    if kernels is None:
        return DlibDetector()
    from meanface.embedder.detector.native import NativeDetector  # its import needs the extension

    return NativeDetector(kernels, cache)


def prepare(choice: DetectorChoice, cache: str | None = None) -> None:
    """Put into the cache what the detector needs at its start, so that processes that start together find it there."""
    kernels = kernels_for(choice)
    if kernels is not None:
        from meanface.embedder.detector import weights

        weights.cached(kernels, cache)
