"""dlib's face recognition network in float32; TF32 is off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from meanface.cuda.weights import Weights

BATCH = 64
"""chips that run together, always: what is missing is black. So the kernels, and with them an embedding's bits, do not
depend on how many faces there are."""

MEAN_RGB = (122.782, 117.001, 104.298)


@contextmanager
def exact_float32() -> Iterator[None]:
    """No TF32 in products of matrices and convolutions, and no choice of kernels by timing."""
    old = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = old


class Network:
    """29 convolutions, whose affine layers are folded into them, and a matrix; see `meanface.model`."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        self._layers = [
            (torch.tensor(filters, device=device), torch.tensor(biases, device=device), stride)
            for filters, biases, stride in weights.convolutions
        ]
        self._matrix = torch.tensor(weights.matrix, device=device)
        self._mean = torch.tensor(MEAN_RGB, device=device)[:, None, None]

    def __call__(self, chips: Tensor) -> Tensor:
        """(faces, 3, 150, 150) of bytes to (faces, 128)."""
        missing = -len(chips) % BATCH
        whole = torch.cat([chips, chips.new_zeros(missing, *chips.shape[1:])])
        parts = [self._batch(part) for part in whole.split(BATCH)]
        return torch.cat([*parts, self._matrix.new_zeros(0, self._matrix.shape[1])])[: len(chips)]

    def _batch(self, chips: Tensor) -> Tensor:
        value = functional.relu(self._convolution(0, (chips.float() - self._mean) / 256))
        value = functional.max_pool2d(value, 3, 2)
        for first in range(1, len(self._layers), 2):
            inner = self._convolution(first + 1, functional.relu(self._convolution(first, value)))
            shortcut = functional.avg_pool2d(value, 2, 2) if self._layers[first][2] == 2 else value
            value = functional.relu(_padded_sum(shortcut, inner))
        return value.mean((2, 3)) @ self._matrix

    def _convolution(self, number: int, value: Tensor) -> Tensor:
        filters, biases, stride = self._layers[number]
        padding = 0 if stride == 2 else filters.shape[2] // 2
        return functional.conv2d(value, filters, biases, stride, padding)


def _padded_sum(one: Tensor, other: Tensor) -> Tensor:
    """The smaller is padded with zeros, in channels and at the end of rows and columns."""
    channels, rows, columns = (max(a, b) for a, b in zip(one.shape[1:], other.shape[1:], strict=True))

    def padded(value: Tensor) -> Tensor:
        missing = (0, columns - value.shape[3], 0, rows - value.shape[2], 0, channels - value.shape[1])
        return functional.pad(value, missing) if any(missing) else value

    return padded(one) + padded(other)
