"""Scores of all windows of a batch: five filters of 10 x 10 cells, at every cell.

Ten cells of a row lie together in memory, so that a row of a window is one long vector, and all rows of all windows are
one product of matrices; ten of its results, one below the other, make a score.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from meanface.cuda.hog import CHANNELS
from meanface.cuda.weights import Weights

WINDOW = 10
BEFORE, AFTER = 4, 5
"""cells of zeros around the features; a window may begin in those before"""


class Scan:
    """dlib's filters."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        filters = torch.tensor(weights.filters, dtype=torch.float32)
        self._count = len(filters)
        # rows: columns of the window, channels; columns: rows of the window, filters
        self._matrix = filters.permute(3, 1, 2, 0).reshape(WINDOW * CHANNELS, WINDOW * self._count).to(device)
        self._thresholds = torch.tensor(weights.thresholds, device=device)

    def __call__(self, features: Tensor) -> Tensor:
        """(photos, rows, columns, 31) to (photos, rows * columns, filters): float64, detections have 0 or more."""
        photos, rows, columns, _ = features.shape
        padded = functional.pad(features, (0, 0, BEFORE, AFTER, BEFORE, AFTER)).contiguous()
        high, wide = rows + BEFORE + AFTER, columns + BEFORE + AFTER
        steps = (high * wide * CHANNELS, wide * CHANNELS, CHANNELS, 1)
        vectors = padded.as_strided((photos, high, columns, WINDOW * CHANNELS), steps)
        products = (vectors.reshape(-1, WINDOW * CHANNELS) @ self._matrix).reshape(photos, high, -1)
        across = products.shape[2]
        below = (high * across, across, WINDOW * self._count, across + self._count, 1)
        summed = products.as_strided((photos, rows, columns, WINDOW, self._count), below).sum(3)
        return summed.double().reshape(photos, rows * columns, self._count) - self._thresholds
