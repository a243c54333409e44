"""dlib's face recognition network in float64, layer by layer as dlib describes it: the judge of faster ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.dlib_models import MEAN_RGB, Convolution, layers, network_bytes

Float64 = NDArray[np.float64]


class Float64Network:
    """Plain convolutions without a transform."""

    def __init__(self) -> None:
        self._convolutions, self._matrix = layers(network_bytes())

    def embed(self, chips: NDArray[np.uint8]) -> Float64:
        """Embeddings (n, 128) of chips (n, 150, 150, 3)."""
        return np.concatenate([self._embed_one(chip) for chip in chips])

    def _embed_one(self, chip: NDArray[np.uint8]) -> Float64:
        scaled = (chip - np.array(MEAN_RGB, np.float32).astype(np.float64)) / 256
        value = np.maximum(convolved(scaled.transpose(2, 0, 1), self._convolutions[0]), 0)
        value = windows(value, 3, 2).max((3, 4))
        for first, second in zip(self._convolutions[1::2], self._convolutions[2::2], strict=True):
            shortcut = windows(value, 2, 2).mean((3, 4)) if first.stride == 2 else value
            inner = convolved(np.maximum(convolved(value, first), 0), second)
            value = np.maximum(added(shortcut, inner), 0)
        return value.mean((1, 2))[None] @ self._matrix.astype(np.float64)


def windows(value: Float64, side: int, stride: int) -> Float64:
    """All squares of an image (channels, rows, columns): (channels, rows, columns, side, side)."""
    squares = np.lib.stride_tricks.sliding_window_view(value, (side, side), (1, 2))
    return squares[:, ::stride, ::stride]


def convolved(value: Float64, layer: Convolution) -> Float64:
    """A plain convolution."""
    outputs, inputs, side, _ = layer.filters.shape
    padding = layer.padding
    squares = windows(np.pad(value, ((0, 0), (padding, padding), (padding, padding))), side, layer.stride)
    rows, columns = squares.shape[1:3]
    flat = squares.transpose(1, 2, 0, 3, 4).reshape(rows * columns, inputs * side * side)
    sums = flat @ layer.filters.reshape(outputs, -1).T.astype(np.float64) + layer.biases
    return sums.T.reshape(outputs, rows, columns)


def added(one: Float64, other: Float64) -> Float64:
    """The sum of two images, each padded with zeros to the larger one."""
    shape = np.maximum(one.shape, other.shape)
    return sum(np.pad(value, [(0, more) for more in shape - value.shape]) for value in (one, other))
