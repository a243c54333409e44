from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Found = tuple[int, int, int, int, float, float, int]
"""left, top, right, bottom; score; what the coarse scan thought of it; filter"""

def kernels() -> list[str]:
    """Names of the detector's kernels that this CPU can run, the best first."""

def network_kernels() -> list[str]:
    """Names of the network's kernels that this CPU can run, the best first."""

class Detector:
    """For one thread at a time. `find` and `features` let other threads run."""

    def __init__(
        self,
        kernels: str,
        *,
        filters: NDArray[np.float32],
        thresholds: NDArray[np.float64],
        projection: NDArray[np.float32],
        coarse: NDArray[np.int8],
        units: NDArray[np.float32],
        overlap: tuple[float, float],
        doublings: int,
    ) -> None:
        """ValueError if photos are not to be doubled 0 to 3 times."""

    @property
    def name(self) -> str: ...
    def features(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of all cells of all levels: (cells, 31)."""

    def find(
        self, photo: NDArray[np.uint8], *, adjust: float, margin: float, tolerance: float
    ) -> tuple[Sequence[Found], bool]:
        """Faces by falling score, and whether dlib is certain to find the same."""

class CnnDetector:
    """For any number of threads. `find` and `scores` let other threads run."""

    def __init__(
        self,
        kernels: str,
        *,
        parameters: NDArray[np.float32],
        mean: NDArray[np.float32],
        overlap: tuple[float, float],
    ) -> None:
        """Parameters as `CnnWeights.parameters`; ValueError for another number of them."""

    @property
    def name(self) -> str: ...
    def scores(self, photo: NDArray[np.uint8], *, doublings: int) -> NDArray[np.float32]:
        """The network's outputs (row, column) for the tiled pyramid; (0, 0) for a photo that is too small."""

    def find(self, photo: NDArray[np.uint8], *, doublings: int) -> Sequence[tuple[int, int, int, int, float]]:
        """Faces by falling score: left, top, right, bottom; score. ValueError for a photo that is too large."""

class Predictor:
    """For any number of threads. `find` lets other threads run."""

    def __init__(self, file: bytes) -> None: ...
    def find(
        self, photo: NDArray[np.uint8], box: tuple[int, int, int, int], *, tolerance: float
    ) -> tuple[Sequence[tuple[int, int]], bool]:
        """Points x, y of the face in a box (left, top, right, bottom), and whether dlib is certain to find the same."""

class Network:
    """For one thread at a time. `embed` lets other threads run."""

    def __init__(self, kernels: str, parameters: NDArray[np.float32]) -> None:
        """Parameters as `network.parameters`; ValueError for another number of them."""

    @property
    def name(self) -> str: ...
    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings (n, 128) of chips (n, 150, 150, 3); the bits of each depend on its chip only."""
