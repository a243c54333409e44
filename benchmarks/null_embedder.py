"""Run `meanface` with an embedder that does nothing, to measure everything else.

`python -m benchmarks.null_embedder run ...` is `meanface run ...` with workers that also run this
module. For each photo they return a chip and an embedding of noise, without decoding the photo.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.decode import Photo
from meanface.embedder.faces import AlignedFace, Box, Detection
from meanface.stats.chip_sum import SHAPE, Chip
from meanface.stats.moments import DIMENSIONS
from meanface.workers import child

WORKER = "--worker"
NO_PHOTO = Photo(np.zeros((1, 1, 3), np.uint8), 1)


class NullEmbedder:
    """Finds one face in every photo, at once."""

    def __init__(self, *_: object) -> None:
        self._noise = np.random.default_rng(1)
        chip = self._noise.integers(0, 256, SHAPE, dtype=np.uint8)
        self._detection = Detection(1, (AlignedFace(0, Box(0, 150, 150, 0), 1.0, chip),))

    def detect(self, *_: object) -> Detection:
        """The one face."""
        return self._detection

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """Noise."""
        return self._noise.normal(0, 0.1, (len(chips), DIMENSIONS)).astype(np.float32)


def main() -> None:
    """Run as a worker or as the command."""
    if sys.argv[1] == WORKER:
        del sys.argv[1]
        # These replace functions of other types: a worker has no setting for a null embedder.
        child.open_embedder, child.decode = NullEmbedder, lambda *_: NO_PHOTO  # type: ignore[assignment,attr-defined]
        child.main()
        return
    from meanface.cli import app
    from meanface.workers import process

    # The constant's type is a shorter tuple.
    process.COMMAND = (sys.executable, "-m", __spec__.name, WORKER)  # type: ignore[assignment]
    app.main()


if __name__ == "__main__":
    main()
