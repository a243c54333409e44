"""Run `meanface` with an embedder that does nothing, to measure everything else.

`python -m benchmarks.null_embedder run ...` is `meanface run ...` with workers that also run this
module. For each photo they return a chip and an embedding of noise, without decoding the photo.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.dlib_models import DIMENSIONS
from meanface.embedder.faces import NONE_LEFT_OUT, Box
from meanface.embedder.orientation import UPRIGHT
from meanface.embedder.result import Detection
from meanface.stats.chip_sum import SHAPE, Chip
from meanface.workers import child

WORKER = "--worker"
NOISE = np.random.default_rng(1)
CHIP = NOISE.integers(0, 256, SHAPE, dtype=np.uint8)
DETECTION = Detection([(Box(0, 150, 150, 0), 1.0)], {0: CHIP}, NONE_LEFT_OUT, UPRIGHT)
"""of every photo"""


class NullEmbedder:
    """Embeds every chip at once."""

    def __init__(self, *_: object) -> None:
        pass

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """Noise."""
        return NOISE.normal(0, 0.1, (len(chips), DIMENSIONS)).astype(np.float32)


def main() -> None:
    """Run as a worker or as the command."""
    if sys.argv[1] == WORKER:
        del sys.argv[1]
        # These replace functions of other types: a worker has no setting for a null embedder.
        child.open_embedder, child.detect = NullEmbedder, lambda *_: DETECTION  # type: ignore[assignment,attr-defined]  # in place of the real ones
        child.main()
        return
    from meanface.__main__ import main as run
    from meanface.workers import process

    # The constant's type is a shorter tuple.
    process.COMMAND = (sys.executable, "-m", __spec__.name, WORKER)  # type: ignore[assignment]  # another length
    run()


if __name__ == "__main__":
    main()
