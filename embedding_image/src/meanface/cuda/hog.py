"""Felzenszwalb's histograms of oriented gradients of a batch of equal levels, as dlib computes them.

Blocks are 8 x 8 pixels, half a cell off the cells: all pixels of a block lie between the same four cells, and give each
of them a part of their magnitude, which depends on their place in the block only. That makes histograms a product of
matrices, and the order of its sums fixed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from meanface.cuda.pyramid import Size, fused

CELL = 8
SHIFT = CELL // 2
SIGNED, UNSIGNED, TEXTURES = 18, 9, 4
CHANNELS = SIGNED + UNSIGNED + TEXTURES


def cells_of(pixels: int) -> int:
    """Cells in so many pixels."""
    return int(pixels / CELL + 0.5)


def directions() -> Tensor:
    """Direction (0 ... 17) of every gradient: uint8, at (x + 255) * 511 + y + 255.

    Borders between directions are compared as fractions of 65536; see `native/kernels/gradients.hpp`.
    """
    x, y = np.meshgrid(np.arange(-255, 256), np.arange(-255, 256), indexing="ij")
    across, up = np.abs(x), np.abs(y)
    sector = 2 + (up > across * 11555 // 65536) + (up > across * 37843 // 65536)
    sector = sector - (across > up * 54992 // 65536) - (across > up * 23853 // 65536)
    down = y < 0
    left = x - down < 0
    direction = np.where(left, 9, np.where(down, 18, 0)) + np.where(left ^ down, -sector, sector)
    return torch.from_numpy((direction % 18).astype(np.uint8).ravel())


class Hog:
    """Features of levels of one size."""

    def __init__(self, size: Size, device: torch.device) -> None:
        self.cells = Size(cells_of(size.rows), cells_of(size.columns))
        self._last = Size(min(self.cells.rows * CELL, size.rows) - 1, min(self.cells.columns * CELL, size.columns) - 1)
        self._directions = directions().to(device)
        near = torch.arange(0.5, CELL) / CELL
        far = 1 - near
        shares = [far[:, None] * far, far[:, None] * near, near[:, None] * far, near[:, None] * near]
        self._shares = torch.stack([share.ravel() for share in shares], dim=1).to(device)
        one_by_one = 1  # of equal channels the later one counts in dlib's groups of eight columns, then the earlier one
        while one_by_one < self._last.columns - 7:
            one_by_one += 8
        self._one_by_one = one_by_one
        self._earlier_wins = (torch.arange(1, max(self._last.columns, 1)) >= one_by_one).int().to(device)

    @property
    def windows(self) -> Size:
        """Cells that have features: all but the outermost."""
        return Size(max(self.cells.rows - 2, 0), max(self.cells.columns - 2, 0))

    def __call__(self, levels: Tensor) -> Tensor:
        """(photos, 3, rows, columns) of bytes to (photos, rows, columns, 31), as many as `windows`."""
        if levels.is_cuda and fused():
            from meanface.cuda.kernels import histograms

            parts = histograms(levels, self._last, self.cells, self._one_by_one, self._shares)
        else:
            parts = self._parts(*self._gradients(levels))
        return self._features(_combined(parts))

    def _gradients(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Magnitude and direction of the strongest channel's gradient, of all pixels but the outermost."""
        levels = levels[..., : self._last.rows + 1, : self._last.columns + 1].short()
        x = levels[..., 1:-1, 2:] - levels[..., 1:-1, :-2]
        y = levels[..., 2:, 1:-1] - levels[..., :-2, 1:-1]
        squares = x.int() * x + y.int() * y
        place = (x.int() + 255) * 511 + (y + 255)
        strongest, chosen = squares[:, 0], place[:, 0]
        for channel in (1, 2):
            keep = strongest + self._earlier_wins[: strongest.shape[-1]] > squares[:, channel]
            chosen = torch.where(keep, chosen, place[:, channel])
            strongest = torch.maximum(strongest, squares[:, channel])
        return strongest.float().sqrt(), self._directions[chosen]

    def _parts(self, magnitudes: Tensor, bins: Tensor) -> Tensor:
        """(photos, block rows, block columns, 18, 4): what each block gives to the four cells around it."""
        rows, columns = self.cells.rows + 1, self.cells.columns + 1
        before = SHIFT + 1  # the pixels that have a gradient begin with the second
        after = [total * CELL - before - size for total, size in ((columns, bins.shape[2]), (rows, bins.shape[1]))]
        around = (before, after[0], before, after[1])
        pixels, of = (
            functional.pad(plane, around)
            .reshape(-1, rows, CELL, columns, CELL)
            .transpose(2, 3)
            .reshape(-1, rows, columns, CELL * CELL)
            for plane in (magnitudes, bins)
        )
        zero = pixels.new_zeros(())
        return torch.stack([torch.where(of == k, pixels, zero) @ self._shares for k in range(SIGNED)], dim=3)

    def _features(self, histograms: Tensor) -> Tensor:
        unsigned = histograms[..., :UNSIGNED] + histograms[..., UNSIGNED:]
        energy = (unsigned * unsigned).sum(3)
        corner = energy[:, :-1, :-1] + energy[:, :-1, 1:] + energy[:, 1:, :-1] + energy[:, 1:, 1:]
        norm = (corner + 0.0001).sqrt()[..., None]
        limit, scale = norm * 0.2, 0.5 / norm
        bins = torch.cat([histograms, unsigned], dim=3)[:, 1:-1, 1:-1]
        total, textures = torch.zeros_like(bins), []
        for rows, columns in ((1, 1), (0, 1), (1, 0), (0, 0)):  # below right, above right, below left, above left
            place = slice(rows, rows + bins.shape[1]), slice(columns, columns + bins.shape[2])
            part = torch.minimum(bins, limit[:, place[0], place[1]]) * scale[:, place[0], place[1]]
            total = total + part
            textures.append(part[..., :SIGNED].sum(3))
        return torch.cat([total, torch.stack(textures, dim=3) * (2 * 0.2357)], dim=3)


def _combined(parts: Tensor) -> Tensor:
    """(photos, cell rows, cell columns, 18): each of the four blocks around a cell gives its part."""
    below, above = parts[:, 1:], parts[:, :-1]
    return below[:, :, 1:, :, 0] + below[:, :, :-1, :, 1] + above[:, :, 1:, :, 2] + above[:, :, :-1, :, 3]
