"""Every native detector that this machine has, dlib's, and photos to show them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from meanface.detector import Detector, DlibDetector, Rectangle, usable_kernels
from meanface.photo import Pixels

KERNELS = ["avx512", "avx2"]

Corners = list[tuple[int, int, int, int]]


def corners(found: list[Rectangle]) -> Corners:
    return [(each.left(), each.top(), each.right(), each.bottom()) for each in found]


@pytest.fixture(scope="session")
def boxes() -> Callable[[Detector, Pixels], Corners]:
    """What a detector finds: left, top, right, bottom."""
    return lambda detector, photo: corners(detector.find(photo))


@pytest.fixture(scope="session")
def dlib_detector() -> DlibDetector:
    return DlibDetector()


def native(kernels: str, *, exhaustive: bool = False, tolerance: float | None = None) -> Detector:
    """A native detector; skips the test where it cannot run."""
    if kernels not in usable_kernels():
        pytest.skip(f"this machine has no native detector with {kernels}")
    from meanface.detector.native import TOLERANCE, NativeDetector

    chosen = TOLERANCE if tolerance is None else tolerance
    return NativeDetector(kernels, exhaustive=exhaustive, tolerance=chosen)


@pytest.fixture(scope="session")
def open_native() -> Callable[..., Detector]:
    """Opens native detectors."""
    return native


@pytest.fixture(scope="session", params=KERNELS)
def native_detector(request: pytest.FixtureRequest) -> Detector:
    """Each native detector in turn."""
    return native(request.param)


@pytest.fixture(scope="session")
def oracle() -> Detector:
    """Gives every window its exact score."""
    return native((usable_kernels() or KERNELS)[0], exhaustive=True)


@pytest.fixture(scope="session")
def resized(portraits: list[NDArray[np.uint8]]) -> Callable[[int], Pixels]:
    """A part of a portrait in a size that a number decides: 20 to 700 pixels a side."""

    def make(number: int) -> Pixels:
        random = np.random.default_rng(number)
        columns, rows = random.integers(20, 700, 2)
        portrait = Image.fromarray(portraits[number % len(portraits)])
        left, top = random.integers(0, 100, 2)
        part = portrait.crop((left, top, portrait.width, portrait.height)).resize((columns, rows))
        return np.asarray(part)

    return make
