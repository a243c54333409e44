"""Aligned faces: 150 x 150 pixels cut out of photos, turned and scaled by the landmarks."""

from __future__ import annotations

import torch
from torch import Tensor

from meanface.cuda.landmarks import similarity

SIZE = 150
PADDING = 0.25

MEAN_FACE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
"""Where dlib's `get_face_chip_details` puts the five landmarks in a square without padding."""


class Chips:
    """Cuts chips as `dlib.get_face_chip` does, where dlib needs no smaller copy of the photo."""

    def __init__(self, device: torch.device) -> None:
        points = torch.tensor(MEAN_FACE, dtype=torch.float64, device=device)
        self._points = (points + PADDING) / (2 * PADDING + 1) * SIZE
        self._middle = torch.tensor([SIZE / 2, SIZE / 2], dtype=torch.float64, device=device)
        at = torch.arange(SIZE, dtype=torch.float64, device=device)
        self._grid = torch.stack([at.expand(SIZE, SIZE), at[:, None].expand(SIZE, SIZE)], dim=2)

    def __call__(self, photos: Tensor, of: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """Chips (faces, 3, 150, 150) of bytes, and which of them dlib would cut from a smaller copy of the photo."""
        points = landmarks.double()
        turn = similarity(self._points, points)  # from chip to photo
        shift = points.mean(1) - (turn @ self._points.mean(0))
        angle = torch.atan2(turn[:, 1, 0], turn[:, 0, 0])
        side = SIZE * torch.hypot(turn[:, 0, 0], turn[:, 1, 0])
        centre = turn @ self._middle + shift
        half = (side - 1) / 2
        cosine, sine = angle.cos(), angle.sin()
        corner = centre + torch.stack([half * (sine - cosine), -half * (sine + cosine)], dim=1)
        step = (side - 1) / (SIZE - 1)
        across = torch.stack([cosine, sine], dim=1) * step[:, None]
        down = torch.stack([-sine, cosine], dim=1) * step[:, None]
        x, y = self._grid[None, ..., :1], self._grid[None, ..., 1:]
        at = x * across[:, None, None] + y * down[:, None, None] + corner[:, None, None]
        return _interpolated(photos, of, at), (side / 2) ** 2 > SIZE * SIZE


def _interpolated(photos: Tensor, of: Tensor, at: Tensor) -> Tensor:
    """Bilinear, truncated; black where a neighbour lies beyond the photo."""
    whole = at.floor()
    right, below = ((at - whole)[:, None, ..., axis] for axis in (0, 1))
    x, y = whole.long().unbind(3)
    rows, columns = photos.shape[2:]
    inside = (x >= 0) & (x + 1 < columns) & (y >= 0) & (y + 1 < rows)
    x, y = x.clamp(0, max(columns - 2, 0)), y.clamp(0, max(rows - 2, 0))
    of = of[:, None, None]

    def pixels(down: int, across: int) -> Tensor:
        return photos[of, :, (y + down).clamp(max=rows - 1), (x + across).clamp(max=columns - 1)].permute(0, 3, 1, 2)

    above = (1 - right) * pixels(0, 0) + right * pixels(0, 1)
    under = (1 - right) * pixels(1, 0) + right * pixels(1, 1)
    value = (1 - below) * above + below * under
    return torch.where(inside[:, None], value, 0).to(torch.uint8)
