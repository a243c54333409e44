"""dlib's face recognition network: our own code for it, or dlib's where that cannot run.

`native/network/` has the code. It computes an embedding with the same bits on every CPU that it
supports and with every kind of kernels, whatever chips are beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanface.embedder import dlib_models


def usable_kernels() -> list[str]:
    """Kernels of the native network that this machine can run, best first; none if it is not built."""
    try:
        from meanface.embedder import _native
    except ImportError:
        return []
    return _native.network_kernels()


class NativeNetwork:
    """The network with one of `usable_kernels()`, for one thread at a time; it lets other threads run.

    `path` is dlib's file; DamagedRecord if it is another one.
    """

    def __init__(self, kernels: str, path: Path | None = None) -> None:
        from meanface.embedder import _native

        parameters = dlib_models.parameters(dlib_models.network_bytes(path))
        self._network = _native.Network(kernels, parameters)
        self.name = f"native-{kernels}"

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings (n, 128) of chips (n, 150, 150, 3)."""
        return self._network.embed(np.ascontiguousarray(chips))
