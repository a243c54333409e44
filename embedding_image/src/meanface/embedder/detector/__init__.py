"""Find faces with dlib's frontal face detector: its own code, or faster code with the same boxes.

The machine and `MEANFACE_KERNELS` decide which one runs, not the settings of a run: it cannot
change results, so it is not part of a run's fingerprint (decision 9 in docs/decisions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from meanface.embedder.detector.dlib import UPSAMPLE, DlibDetector, Found
from meanface.embedder.kernels import KernelChoice
from meanface.errors import SettingsError

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

REQUIREMENTS = "it needs an x86-64 CPU with AVX2 or a 64-bit ARM, and a C++17 compiler when meanface is installed"


class Detector(Protocol):
    """Finds faces; not thread-safe."""

    name: str
    """`native-` and the kernels, or `dlib`"""

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


def kernels_for(choice: KernelChoice) -> str | None:
    """Kernels that a choice selects on this machine; None for dlib's own detector.

    SettingsError if this machine does not have what was chosen.
    """
    if choice is KernelChoice.DLIB:
        return None
    usable = usable_kernels()
    if choice is KernelChoice.AUTO:
        return usable[0] if usable else None
    matching = [name for name in usable if choice is KernelChoice.NATIVE or name == choice]
    if not matching:
        reason = f"this CPU has {', '.join(usable)}" if usable else f"there is no native detector: {REQUIREMENTS}"
        raise SettingsError(f"MEANFACE_KERNELS={choice}: {reason}; use auto for the fastest available one")
    return matching[0]


def detector_name(choice: KernelChoice) -> str:
    """Name of the detector that a choice selects: `native-` and the kernels, or `dlib`."""
    kernels = kernels_for(choice)
    return f"native-{kernels}" if kernels else "dlib"


def open_detector(
    choice: KernelChoice = KernelChoice.AUTO, cache: str | None = None, upsample: int = UPSAMPLE
) -> Detector:
    """Load the detector that a choice selects on this machine; SettingsError as `kernels_for`.

    It doubles each photo `upsample` times before it searches it.
    """
    kernels = kernels_for(choice)
    if kernels is None:
        return DlibDetector(upsample)
    from meanface.embedder.detector.native import NativeDetector  # its import needs the extension

    return NativeDetector(kernels, cache, upsample=upsample)


def prepare(choice: KernelChoice, cache: str | None = None) -> None:
    """Derive the detector's weights into the cache, once for all processes that start together."""
    kernels = kernels_for(choice)
    if kernels is not None:
        from meanface.embedder.detector import weights

        weights.cached(kernels, cache)
