"""Find faces with dlib's frontal face detector: its own code, or faster code with the same boxes.

The machine and `MEANFACE_DETECTOR` decide which one runs, not the settings of a run: it cannot
change results, so it is not part of a run's fingerprint (decision 9 in docs/decisions).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from meanface.embedder.detector.dlib import DlibDetector, Found
from meanface.errors import SettingsError

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

REQUIREMENTS = "it needs an x86-64 CPU with AVX2, and a C++17 compiler when meanface is installed"


class DetectorChoice(StrEnum):
    """Values of `MEANFACE_DETECTOR`; they decide the speed of detection and never its result."""

    AUTO = "auto"
    """the fastest that this machine has"""
    NATIVE = "native"
    """the fastest native one; an error if there is none"""
    AVX512 = "avx512"
    """native, with AVX-512 VNNI"""
    AVX2 = "avx2"
    """native, with AVX2"""
    DLIB = "dlib"
    """dlib's own"""

    @classmethod
    def of(cls, text: str | None) -> DetectorChoice:
        """Parse the environment variable; `auto` if not set, SettingsError if invalid."""
        try:
            return cls(text or cls.AUTO)
        except ValueError:
            raise SettingsError(f"MEANFACE_DETECTOR={text!r}: expected one of {', '.join(cls)}") from None


class Detector(Protocol):
    """Finds faces; not thread-safe."""

    name: str
    """`native-avx512`, `native-avx2` or `dlib`"""

    def find(self, photo: Pixels) -> list[Found]:
        """The faces by falling score; all detectors return the same boxes and rounded scores."""
        ...


def usable_kernels() -> list[str]:
    """Native kernels that this machine can run, best first; none if the extension is not built."""
    try:
        from meanface.embedder import _native
    except ImportError:
        return []
    return _native.kernels()


def kernels_for(choice: DetectorChoice) -> str | None:
    """Kernels that a choice selects on this machine; None for dlib's own detector.

    SettingsError if this machine does not have what was chosen.
    """
    if choice is DetectorChoice.DLIB:
        return None
    usable = usable_kernels()
    if choice is DetectorChoice.AUTO:
        return usable[0] if usable else None
    matching = [name for name in usable if choice is DetectorChoice.NATIVE or name == choice]
    if not matching:
        reason = f"this CPU has {', '.join(usable)}" if usable else f"there is no native detector: {REQUIREMENTS}"
        raise SettingsError(f"MEANFACE_DETECTOR={choice}: {reason}; use auto for the fastest available one")
    return matching[0]


def detector_name(choice: DetectorChoice) -> str:
    """Name of the detector that a choice selects: `native-avx512`, `native-avx2` or `dlib`."""
    kernels = kernels_for(choice)
    return f"native-{kernels}" if kernels else "dlib"


def open_detector(choice: DetectorChoice = DetectorChoice.AUTO, cache: str | None = None) -> Detector:
    """Load the detector that a choice selects on this machine; SettingsError as `kernels_for`."""
    kernels = kernels_for(choice)
    if kernels is None:
        return DlibDetector()
    from meanface.embedder.detector.native import NativeDetector  # its import needs the extension

    return NativeDetector(kernels, cache)


def prepare(choice: DetectorChoice, cache: str | None = None) -> None:
    """Derive the detector's weights into the cache, once for all processes that start together."""
    kernels = kernels_for(choice)
    if kernels is not None:
        from meanface.embedder.detector import weights

        weights.cached(kernels, cache)
