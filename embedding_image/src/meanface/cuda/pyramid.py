"""The pyramid of a batch of equal photos: doubled, then reduced by 6 to 5 until no face fits.

Resizing truncates its sums to bytes, so that the least difference shows: positions come from dlib's own recurrences
(float32 in groups of four columns, float64 for the last columns), and every sum has dlib's order. Each product and
each sum is an operation of its own here, so that none is fused with another.
"""

from __future__ import annotations

import importlib.util
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SMALLEST = 64
"""pixels: no level whose rectangle is smaller"""


def fused() -> bool:
    """Whether Triton is there, which comes with PyTorch for Linux: then `kernels` does the work on pixels."""
    return importlib.util.find_spec("triton") is not None


class Size(NamedTuple):
    """Of a photo or a level, in pixels."""

    rows: int
    columns: int


def rounded(at: float) -> int:
    """To the nearest integer, halves away from zero."""
    return int(math.copysign(math.floor(abs(at) + 0.5), at))


def sizes(photo: Size) -> list[Size]:
    """Of all levels, the doubled photo first.

    >>> sizes(Size(250, 250))[:3], len(sizes(Size(250, 250)))
    ([Size(rows=501, columns=502), Size(rows=417, columns=418), Size(rows=347, columns=348)], 12)
    """
    levels = [Size(rounded((photo.rows - 0.25) * 2) + 1, rounded((photo.columns + 0.25) * 2) + 1)]
    corners = [0, 0, levels[0].columns - 1, levels[0].rows - 1]
    while True:  # dlib counts by a rectangle whose corners are rounded every time, not by the levels' sizes
        left, top, right, bottom = corners = [rounded((corner - 0.3) * (5 / 6)) for corner in corners]
        if right - left + 1 < SMALLEST or bottom - top + 1 < SMALLEST:
            return levels
        levels.append(Size(5 * levels[-1].rows // 6, 5 * levels[-1].columns // 6))


class _Axis(NamedTuple):
    """For each output row (or column) its two neighbours, and the weight of the second."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    weight: NDArray[np.float64]


def _step(start: int, end: int) -> float:
    return (start - 1) / max(end - 1, 1)


def _axis(start: int, end: int, begin: int = 0) -> _Axis:
    """In float64, from the output row `begin` on."""
    by = _step(start, end)
    at, positions = -by + begin * by, []
    for _ in range(begin, end):
        at += by
        positions.append(at)
    exact = np.array(positions, np.float64)
    first = np.floor(exact).astype(np.int64)
    return _Axis(first, np.minimum(first + 1, start - 1), exact - first)


def _float_columns(start: int, end: int) -> _Axis:
    """The columns that dlib computes in float32, four at a time."""
    by = _step(start, end)
    at = np.array([-4 * by + k * by for k in range(4)]).astype(np.float32)
    step, groups = np.float32(4 * by), []
    while True:
        at = at + step
        if int(at[3]) + 1 >= start:
            break
        groups.append(at)
    positions = np.concatenate([*groups, np.zeros(0, np.float32)])
    first = positions.astype(np.int64)
    return _Axis(first, first + 1, (positions - first.astype(np.float32)).astype(np.float64))


class Resize:
    """From one size to another, for (photos, 3, rows, columns) of bytes."""

    def __init__(self, start: Size, end: Size, device: torch.device) -> None:
        rows, columns = _axis(start.rows, end.rows), _float_columns(start.columns, end.columns)
        tail = _axis(start.columns, end.columns, len(columns.first))
        self._rows = [torch.tensor(index, device=device) for index in (rows.first, rows.second)]
        self._columns = [
            [torch.tensor(index, device=device) for index in (axis.first, axis.second)] for axis in (columns, tail)
        ]
        self._weights = [
            [torch.tensor(weight, device=device) for weight in _products(rows.weight, axis.weight, kind)]
            for axis, kind in ((columns, np.float32), (tail, np.float64))
        ]
        self._tail_weights = [torch.tensor(tail.weight, device=device), torch.tensor(rows.weight, device=device)]

    def __call__(self, photos: Tensor) -> Tensor:
        """Of the same number of photos."""
        body = self._fused(photos) if photos.is_cuda and fused() else self._body(photos)
        return torch.cat([body, self._tail(photos)], dim=3)

    def _fused(self, photos: Tensor) -> Tensor:
        from meanface.cuda.kernels import blend

        return blend(photos, self._rows, self._columns[0], self._weights[0])

    def _body(self, photos: Tensor) -> Tensor:
        above, below = (photos.index_select(2, rows) for rows in self._rows)
        left, right = self._columns[0]
        top_left, top_right, bottom_left, bottom_right = self._weights[0]
        total = above.index_select(3, left) * top_left
        total += above.index_select(3, right) * top_right
        total += below.index_select(3, left) * bottom_left
        total += below.index_select(3, right) * bottom_right
        return total.to(torch.uint8)

    def _tail(self, photos: Tensor) -> Tensor:
        across, down = self._tail_weights[0], self._tail_weights[1][:, None]
        left, right = (photos.index_select(3, columns) for columns in self._columns[1])
        first, second = (
            (1 - across) * left.index_select(2, rows) + across * right.index_select(2, rows) for rows in self._rows
        )
        return ((1 - down) * first + down * second).to(torch.uint8)


def _products(down: NDArray[np.float64], across: NDArray[np.float64], kind: type) -> list[NDArray[np.generic]]:
    """Weights of the four neighbours, in the precision given: top left, top right, bottom left, bottom right."""
    above: NDArray[Any] = (1 - down).astype(kind)[:, None]
    below: NDArray[Any] = down.astype(kind)[:, None]
    right: NDArray[Any] = across.astype(kind)
    left = kind(1) - right
    return [above * left, above * right, below * left, below * right]


class Pyramid:
    """Of photos of one size."""

    def __init__(self, photo: Size, device: torch.device) -> None:
        self.sizes = sizes(photo)
        starts = [photo, *self.sizes[:-1]]
        self._resizes = [Resize(start, end, device) for start, end in zip(starts, self.sizes, strict=True)]

    def __call__(self, photos: Tensor) -> list[Tensor]:
        """The levels of (photos, 3, rows, columns)."""
        levels = []
        for resize in self._resizes:
            photos = resize(photos)
            levels.append(photos)
        return levels
