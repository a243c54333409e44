"""dlib's face recognition network: our own code for it, or dlib's where that cannot run.

`native/network/` has our own. It gives an embedding the same bits on every CPU that it supports,
with every kind of kernels, and whatever chips are beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from meanface.embedder import dlib_models
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.embedder.kernels import KernelChoice

VERSION = 1
"""of the native network's bits: part of the recipe. Raise it if any bit of an embedding changes."""

WITHOUT_NATIVE = (
    "dlib's own network runs, several times slower and with other last bits: the native one needs a CPU with AVX2 "
    "(x86-64) or a 64-bit ARM, and a C++17 compiler when meanface is installed"
)


class Network(Protocol):
    """Computes embeddings; not thread-safe."""

    name: str
    """`native-avx512`, `native-avx2`, `native-neon` or `dlib`"""

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings (n, 128) of chips (n, 150, 150, 3); the bits of each depend on its chip only."""
        ...


class NativeNetwork:
    """The network with one of `usable_kernels()`; it lets other threads run.

    `path` is dlib's file; DamagedRecord if it is another one.
    """

    def __init__(self, kernels: str, path: Path | None = None) -> None:
        from meanface.embedder import _native

        parameters = dlib_models.parameters(dlib_models.network_bytes(path))
        self._network = _native.Network(kernels, parameters)
        self.name = f"native-{kernels}"

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As `Network.embed`."""
        return self._network.embed(np.ascontiguousarray(chips))


class DlibNetwork:
    """`dlib.face_recognition_model_v1`, chip by chip."""

    name = "dlib"

    def __init__(self) -> None:
        import dlib

        self._model: Any = dlib.face_recognition_model_v1(str(dlib_models.network_path()))

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As `Network.embed`."""
        rows = [np.array(self._model.compute_face_descriptor(chip)) for chip in chips]
        return np.array(rows, np.float32).reshape(-1, DIMENSIONS)


def usable_kernels() -> list[str]:
    """Kernels of the native network that this machine can run, best first; none if it is not built."""
    try:
        from meanface.embedder import _native
    except ImportError:
        return []
    return _native.network_kernels()


def implementation() -> str:
    """What decides the bits of this machine's embeddings: the native network's version, or dlib."""
    return f"native {VERSION}" if usable_kernels() else DlibNetwork.name


def open_network(choice: KernelChoice = KernelChoice.AUTO) -> Network:
    """Load the network; a choice that names kernels is followed, and cannot change a bit."""
    usable = usable_kernels()
    if not usable:
        return DlibNetwork()
    return NativeNetwork(choice.value if choice in usable else usable[0])
