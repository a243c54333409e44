"""Every native detector that this machine has, dlib's, and photos to show them."""

from __future__ import annotations

import platform
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from meanface.embedder.decode import Pixels
from meanface.embedder.detector import Detector, DlibDetector, Found, usable_kernels
from meanface.embedder.detector.dlib import UPSAMPLE

KERNELS = ["dotprod", "neon"] if platform.machine() in ("aarch64", "arm64") else ["avx512", "avx2"]

Corners = list[tuple[int, int, int, int]]


def corners(found: list[Found]) -> Corners:
    return [(each.left(), each.top(), each.right(), each.bottom()) for each, _ in found]


@pytest.fixture(scope="session")
def boxes() -> Callable[[Detector, Pixels], Corners]:
    """What a detector finds: left, top, right, bottom."""
    return lambda detector, photo: corners(detector.find(photo))


@pytest.fixture(scope="session")
def dlib_detector() -> DlibDetector:
    return DlibDetector()


def native(
    kernels: str, *, upsample: int = UPSAMPLE, exhaustive: bool = False, tolerance: float | None = None
) -> Detector:
    """A native detector; skips the test where it cannot run."""
    if kernels not in usable_kernels():
        pytest.skip(f"this machine has no native detector with {kernels}")
    from meanface.embedder.detector.native import TOLERANCE, NativeDetector

    chosen = TOLERANCE if tolerance is None else tolerance
    return NativeDetector(kernels, upsample=upsample, exhaustive=exhaustive, tolerance=chosen)


@pytest.fixture(scope="session")
def open_native() -> Callable[..., Detector]:
    """Opens native detectors."""
    return native


BEST = (usable_kernels() or KERNELS)[0]
"""what runs here; the other kernels have its bits, see `test_boxes`"""
BEST_FIRST = [BEST, *(pytest.param(kernels, marks=pytest.mark.long) for kernels in KERNELS if kernels != BEST)]


@pytest.fixture(scope="session", params=BEST_FIRST)
def native_detector(request: pytest.FixtureRequest) -> Detector:
    """Each native detector in turn."""
    return native(request.param)


@pytest.fixture(scope="session")
def oracle() -> Detector:
    """Gives every window its exact score."""
    return native(BEST, exhaustive=True)


@pytest.fixture(scope="session")
def resized(portraits: list[NDArray[np.uint8]]) -> Callable[..., Pixels]:
    """A part of a portrait in a size that a number decides: 20 to `most` pixels a side."""

    def make(number: int, most: int = 700) -> Pixels:
        random = np.random.default_rng(number)
        columns, rows = random.integers(20, most, 2)
        portrait = Image.fromarray(portraits[number % len(portraits)])
        left, top = random.integers(0, 100, 2)
        part = portrait.crop((left, top, portrait.width, portrait.height)).resize((columns, rows))
        return np.asarray(part)

    return make


@pytest.fixture(scope="session")
def montage(portraits: list[NDArray[np.uint8]]) -> Callable[[int], Pixels]:
    """Portraits of many sizes on noise or a flat ground, over and beside each other, as a number decides."""

    def make(number: int) -> Pixels:
        random = np.random.default_rng(number)
        rows, columns = (int(side) for side in random.integers(300, 900, 2))
        lowest, highest = sorted(random.integers(0, 256, 2))
        photo = random.integers(lowest, highest, (rows, columns, 3), np.uint8, endpoint=True)
        for _ in range(int(random.integers(3, 9))):
            side = int(random.integers(60, min(rows, columns)))
            top, left = random.integers(0, rows - side + 1), random.integers(0, columns - side + 1)
            portrait = Image.fromarray(portraits[int(random.integers(len(portraits)))]).crop((60, 0, 460, 400))
            photo[top : top + side, left : left + side] = np.asarray(portrait.resize((side, side)))
        return photo

    return make
