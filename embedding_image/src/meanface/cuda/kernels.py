"""The work on single pixels in one pass each, as Triton kernels: what `pyramid` and `hog` do as tensor code.

Tensor code writes every intermediate result of every pixel to memory; these keep them in registers. Resizing gives the
same bytes (no multiplication is fused with an addition), gradients the same integers; sums of magnitudes have another
order, fixed as well.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from meanface.cuda.pyramid import Size

COLUMNS = 128
BLOCKS = 16


@triton.jit
def _blend(  # noqa: PLR0913, PLR0917 - a kernel takes pointers and sizes
    source, target, tops, bottoms, lefts, rights, w_tl, w_tr, w_bl, w_br, high, wide, rows, columns, tile: tl.constexpr
):
    row = tl.program_id(0)
    plane = tl.program_id(2).to(tl.int64)
    column = tl.program_id(1) * tile + tl.arange(0, tile)
    inside = column < columns
    left, right = tl.load(lefts + column, inside, 0), tl.load(rights + column, inside, 0)
    above = source + plane * high * wide + tl.load(tops + row) * wide
    below = source + plane * high * wide + tl.load(bottoms + row) * wide
    at = row * columns + column
    total = tl.load(w_tl + at, inside, 0.0) * tl.load(above + left, inside, 0).to(tl.float32)
    total = total + tl.load(w_tr + at, inside, 0.0) * tl.load(above + right, inside, 0).to(tl.float32)
    total = total + tl.load(w_bl + at, inside, 0.0) * tl.load(below + left, inside, 0).to(tl.float32)
    total = total + tl.load(w_br + at, inside, 0.0) * tl.load(below + right, inside, 0).to(tl.float32)
    tl.store(target + plane * rows * columns + at, total.to(tl.uint8), inside)


def blend(photos: Tensor, rows: list[Tensor], columns: list[Tensor], weights: list[Tensor]) -> Tensor:
    """The float32 columns of `pyramid.Resize`."""
    count, channels, high, wide = photos.shape
    photos = photos.contiguous()
    height, width = len(rows[0]), len(columns[0])
    output = torch.empty((count, channels, height, width), dtype=torch.uint8, device=photos.device)
    if width:
        grid = (height, triton.cdiv(width, COLUMNS), count * channels)
        arguments = (photos, output, *rows, *columns, *weights, high, wide, height, width)
        _blend[grid](*arguments, tile=COLUMNS, num_warps=2, enable_fp_fusion=False)
    return output


@triton.jit
def _histograms(  # noqa: PLR0913, PLR0917 - a kernel takes pointers and sizes
    source,
    target,
    shares,
    high,
    wide,
    last_row,
    last_column,
    one_by_one,
    block_rows,
    block_columns,
    tile: tl.constexpr,
):
    block_row = tl.program_id(0)
    photo = tl.program_id(2).to(tl.int64)
    block = tl.program_id(1) * tile + tl.arange(0, tile)
    pixel = tl.arange(0, 64)
    y = (block_row * 8 + pixel // 8 - 4)[None, :]
    x = block[:, None] * 8 + (pixel % 8)[None, :] - 4
    inside = (y >= 1) & (y < last_row) & (x >= 1) & (x < last_column)
    here = source + photo * 3 * high * wide + y * wide + x
    strongest = tl.full((tile, 64), -1, tl.int32)
    across = tl.zeros((tile, 64), tl.int32)
    up = tl.zeros((tile, 64), tl.int32)
    earlier_wins = x >= one_by_one
    for channel in tl.static_range(3):
        plane = here + channel * high * wide
        gx = tl.load(plane + 1, inside, 0).to(tl.int32) - tl.load(plane - 1, inside, 0).to(tl.int32)
        gy = tl.load(plane + wide, inside, 0).to(tl.int32) - tl.load(plane - wide, inside, 0).to(tl.int32)
        square = gx * gx + gy * gy
        wins = (square > strongest) | ((square == strongest) & (earlier_wins == 0))
        across, up = tl.where(wins, gx, across), tl.where(wins, gy, up)
        strongest = tl.where(wins, square, strongest)
    magnitude = tl.where(inside, tl.sqrt_rn(strongest.to(tl.float32)), 0.0)
    ax, ay = tl.abs(across), tl.abs(up)
    sector = 2 + (ay > ax * 11555 // 65536).to(tl.int32) + (ay > ax * 37843 // 65536).to(tl.int32)
    sector = sector - (ax > ay * 54992 // 65536).to(tl.int32) - (ax > ay * 23853 // 65536).to(tl.int32)
    down = up < 0
    left = (across - down.to(tl.int32)) < 0
    direction = tl.where(left, 9, tl.where(down, 18, 0)) + tl.where(left != down, -sector, sector)
    direction = tl.where(direction == 18, 0, direction)
    to = target + ((photo * block_rows + block_row) * block_columns + block) * 72
    for k in tl.static_range(18):
        part = tl.where(direction == k, magnitude, 0.0)
        for corner in tl.static_range(4):
            share = tl.load(shares + pixel * 4 + corner)[None, :]
            tl.store(to + k * 4 + corner, tl.sum(part * share, axis=1), block < block_columns)


def histograms(levels: Tensor, last: Size, cells: Size, one_by_one: int, shares: Tensor) -> Tensor:
    """(photos, block rows, block columns, 18, 4): what each block gives to the four cells around it."""
    count, _, high, wide = levels.shape
    levels = levels.contiguous()
    rows, columns = cells.rows + 1, cells.columns + 1
    parts = torch.empty((count, rows, columns, 18, 4), dtype=torch.float32, device=levels.device)
    grid = (rows, triton.cdiv(columns, BLOCKS), count)
    arguments = (levels, parts, shares, high, wide, last.rows, last.columns, one_by_one, rows, columns)
    _histograms[grid](*arguments, tile=BLOCKS, num_warps=4)
    return parts
