"""ONNX Runtime's network, which benchmarks compare with the native one, is the same network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.onnx_network import open_onnx_network
from meanface.embedder.network import DlibNetwork, open_network
from meanface.stats.chip_sum import SHAPE


def test_all_networks_agree(portraits: list[NDArray[np.uint8]]) -> None:
    side = SHAPE[0]
    crops = [np.array(portrait[:side, 150 : 150 + side]) for portrait in portraits]
    noise = np.random.default_rng(5).integers(0, 256, (3, *SHAPE), np.uint8)
    chips = np.concatenate([np.stack(crops), noise])
    ours, theirs = open_network().embed(chips), open_onnx_network()(chips)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours, DlibNetwork().embed(chips), rtol=0, atol=1e-6)
