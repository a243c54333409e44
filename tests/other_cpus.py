"""Detectors, landmarks and network as a program for another processor, or by another compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from meanface.embedder import dlib_models
from meanface.embedder.detector import usable_kernels
from meanface.embedder.detector.cnn_file import cnn_weights
from meanface.embedder.detector.dlib import UPSAMPLE

if TYPE_CHECKING:
    from meanface.embedder import _native
    from meanface.embedder.decode import Pixels
    from meanface.embedder.detector.dlib import Rectangle

NATIVE = Path(__file__).parents[1] / "embedding_image/native"
PROGRAM = Path(__file__).parent / "embedding_image/embedder/native/bits.cpp"

MARGIN, TOLERANCE = 1.25, 2e-5

SAMPLE_MEAN_SHA256 = "aac30e7b97e7a07ef9f091823c4f9f9e3849b8533770a6552eca5dda88cc8605"
"""Of the sample's `mean.npy`: the same on every machine with a native network, until the recipe changes."""


@dataclass(frozen=True)
class Target:
    """A processor, and how its programs are made and run here."""

    detector: str
    network: str
    compiler: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...] = ()

    def missing(self) -> str:
        return ", ".join(name for name in (self.compiler, *self.emulator) if not shutil.which(name))

    def program(self, folder: Path) -> Program:
        """Compile the program with the extension's flags; skips the test where that is not possible."""
        if self.missing():
            pytest.skip(f"not installed: {self.missing()} (Debian: g++-aarch64-linux-gnu, qemu-user, clang)")
        found = re.search(r"set\(FLAGS (.*)\)\n", (NATIVE / "CMakeLists.txt").read_text())
        assert found is not None
        extension = {"bindings.cpp", "dispatch.cpp"}
        parts = [path for pattern in ("*.cpp", "*/*.cpp", "*/*/*.cpp") for path in NATIVE.glob(pattern)]
        sources = [PROGRAM, *(path for path in parts if path.name not in extension)]
        flags = ["-std=c++17", *found[1].split(), "-fno-tree-vectorize", *self.flags]
        here = [f"-DDETECTOR_KERNELS={self.detector}", f"-DNETWORK_KERNELS={self.network}", f"-I{NATIVE}"]
        subprocess.run([self.compiler, *flags, *here, *sources, "-o", folder / "bits"], check=True)
        return Program([*self.emulator, str(folder / "bits")], folder)


ARM = "aarch64-linux-gnu-g++"
X86 = ("-mavx2", "-mfma")
TARGETS = {
    "aarch64": Target("NEON_KERNELS", "NEON_NETWORK", ARM, ("-march=armv8-a", "-static"), ("qemu-aarch64",)),
    "aarch64 with dot products": Target(
        "DOTPROD_KERNELS", "NEON_NETWORK", ARM, ("-march=armv8.2-a+dotprod", "-static"), ("qemu-aarch64",)
    ),
    "registers of four floats": Target("AVX2_KERNELS", "NARROW_NETWORK", "g++", (*X86, "-DMEANFACE_NARROW")),
    "Clang": Target("AVX2_KERNELS", "AVX2_NETWORK", "clang++", X86),
}

Faces = list[tuple[int, int, int, int, float, float, int]]
"""Left, top, right, bottom, score, coarse score, filter; as `_native.Detector.find` has them."""


@dataclass(frozen=True)
class Program:
    """`bits.cpp`, compiled."""

    command: list[str]
    folder: Path

    @cached_property
    def _weights(self) -> Path:
        from meanface.embedder.detector import weights

        loaded = weights.cached(usable_kernels()[0])
        wide = (loaded.thresholds, loaded.limits)
        arrays = (*wide, loaded.filters, loaded.projection, loaded.units, loaded.coarse)
        return self._file("weights", *arrays)

    @cached_property
    def _parameters(self) -> Path:
        return self._file("parameters", dlib_models.parameters(dlib_models.network_bytes()))

    def find(self, photo: Pixels, adjust: float = 0.0, upsample: int = UPSAMPLE) -> tuple[Faces, bool]:
        """As `_native.Detector.find` with the default margin and tolerance."""
        size = map(str, photo.shape[:2])
        numbers = (str(upsample), str(adjust), str(MARGIN), str(TOLERANCE))
        printed = self._run("detector", self._weights, self._file("photo", photo), *size, *numbers).decode()
        *lines, certain = printed.splitlines()
        return [face(*line.split()) for line in lines], certain == "certain"

    def features(self, photo: Pixels) -> NDArray[np.float32]:
        """As `_native.Detector.features`."""
        size = map(str, (*photo.shape[:2], UPSAMPLE))
        printed = self._run("features", self._weights, self._file("photo", photo), *size)
        return np.frombuffer(printed, np.float32).reshape(-1, 31)

    def cnn_scores(self, photo: Pixels, doublings: int) -> NDArray[np.float32]:
        """All scores, one after the other, of `_native.CnnDetector.scores`."""
        weights = cnn_weights()
        parameters = self._file("cnn", weights.parameters(), weights.mean)
        numbers = [*photo.shape[:2], doublings]
        return np.frombuffer(self._run("cnn", parameters, self._file("photo", photo), *map(str, numbers)), np.float32)

    def landmarks(self, photo: Pixels, box: Rectangle) -> list[tuple[int, int]]:
        """The five points of a face."""
        numbers = [*photo.shape[:2], box.left(), box.top(), box.right(), box.bottom()]
        model, here = dlib_models.landmarks_path(), self._file("photo", photo)
        lines = self._run("landmarks", model, here, *map(str, numbers)).decode().splitlines()
        return [(int(x), int(y)) for x, y in map(str.split, lines)]

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As `_native.Network.embed`."""
        printed = self._run("network", self._parameters, self._file("chips", chips))
        return np.frombuffer(printed, np.float32).reshape(-1, 128)

    def _file(self, name: str, *arrays: NDArray[np.generic]) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))
        return path

    def _run(self, *arguments: str | Path) -> bytes:
        return subprocess.run([*self.command, *arguments], capture_output=True, check=True).stdout


def face(*words: str) -> tuple[int, int, int, int, float, float, int]:
    """A line of the program."""
    left, top, right, bottom = map(int, words[:4])
    return left, top, right, bottom, float.fromhex(words[4]), float.fromhex(words[5]), int(words[6])


def native_detector(upsample: int = UPSAMPLE) -> _native.Detector:
    """The one of this machine that the program is compared with."""
    from meanface.embedder.detector import weights

    kernels = usable_kernels()[0]
    return weights.cached(kernels).detector(kernels, upsample)
