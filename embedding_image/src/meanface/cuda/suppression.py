"""From windows to boxes: where a window lies in the photo, and which of overlapping ones stay."""

from __future__ import annotations

import torch
from torch import Tensor

from meanface.cuda.hog import CELL
from meanface.cuda.pyramid import Size, rounded
from meanface.cuda.scan import BEFORE, WINDOW


def _edges(level: int, cells: int) -> Tensor:
    """(cells, 2): first and last pixel of the window that begins at a cell, in the doubled photo."""

    def pixel(cell: int) -> float:
        middle = (cell + 1 - BEFORE) * CELL + 1
        at = float(middle + CELL // 2 if middle >= 0 else middle - CELL // 2)
        for _ in range(level):
            at = at * (6 / 5.0) + 0.3
        return at

    return torch.tensor([[rounded(pixel(cell)), rounded(pixel(cell + WINDOW - 1))] for cell in range(cells)])


def boxes_of(level: int, windows: Size) -> Tensor:
    """(rows * columns, 4): left, top, right, bottom of a level's windows, in the doubled photo."""
    rows = _edges(level, windows.rows).reshape(windows.rows, 1, 2).expand(-1, windows.columns, -1)
    columns = _edges(level, windows.columns).reshape(1, windows.columns, 2).expand(windows.rows, -1, -1)
    return torch.stack([columns[..., 0], rows[..., 0], columns[..., 1], rows[..., 1]], dim=2).reshape(-1, 4)


def halved(boxes: Tensor) -> Tensor:
    """Boxes of the doubled photo in the photo itself."""
    exact = boxes.double() / 2 - torch.tensor([1.25, 0.75, 1.25, 0.75], dtype=torch.float64, device=boxes.device)
    return torch.copysign((exact.abs() + 0.5).floor(), exact).long()


def _area(left: Tensor, top: Tensor, right: Tensor, bottom: Tensor) -> Tensor:
    return ((right - left + 1).clamp(min=0) * (bottom - top + 1).clamp(min=0)).double()


def overlapping(boxes: Tensor, limits: Tensor) -> Tensor:
    """(n, n): which boxes overlap more than either limit allows; integers divided and compared, as dlib does."""
    inner, outer = (
        [get(side[:, None], side[None]) for side in boxes.unbind(1)] for get in (torch.maximum, torch.minimum)
    )
    common = _area(inner[0], inner[1], outer[2], outer[3])
    hull = _area(outer[0], outer[1], inner[2], inner[3])
    area = _area(*boxes.unbind(1))
    either = torch.maximum(common / area[:, None], common / area[None])
    return (common > 0) & ((common / hull > limits[0]) | (either > limits[1]))


def suppress(photos: Tensor, boxes: Tensor, scores: Tensor, limits: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Which detections stay, and photos in which that hangs on scores nearer than the tolerance.

    Detections must be sorted by photo, then by falling score. A detection goes if one that stays, of the same photo
    and before it, overlaps; that is solved for all at once: what is certain in one round decides more in the next.

    Parameters
    ----------
    photos, boxes, scores
        (n), (n, 4), (n)
    limits
        largest overlaps, as parts of the box around both, and of either
    tolerance
        differences of scores that decide nothing
    """
    count = len(photos)
    earlier = torch.ones(count, count, dtype=torch.bool, device=photos.device).triu(1)
    against = overlapping(boxes, limits) & earlier & (photos[:, None] == photos)
    stays = torch.ones_like(photos, dtype=torch.bool)
    while True:
        found = ~(against & stays[:, None]).any(0)
        if torch.equal(found, stays):
            break
        stays = found
    clearly = (against & stays[:, None] & (scores[:, None] - scores >= tolerance)).any(0)
    kept = stays.nonzero().squeeze(1)
    near = (photos[kept][1:] == photos[kept][:-1]) & (scores[kept][:-1] - scores[kept][1:] < tolerance)
    return stays, torch.cat([photos[~stays & ~clearly], photos[kept][1:][near]])
