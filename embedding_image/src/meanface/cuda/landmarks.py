"""dlib's five landmarks of faces: two corners of each eye, and the nose (Kazemi and Sullivan's regression trees)."""

from __future__ import annotations

import torch
from torch import Tensor

from meanface.cuda.weights import Weights


class Landmarks:
    """The cascade of trees; all of a cascade's trees look at the same pixels at once."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        numbers = weights.landmarks
        self._initial = torch.tensor(numbers.initial, device=device)
        self._anchors = torch.tensor(numbers.anchors, device=device)
        self._deltas = torch.tensor(numbers.deltas, device=device)
        self._pixels = torch.tensor(numbers.pixels, device=device)
        self._thresholds = torch.tensor(numbers.thresholds, device=device)
        self._leaves = torch.tensor(numbers.leaves, device=device)
        self._depth = (self._thresholds.shape[2] + 1).bit_length() - 1

    def __call__(self, photos: Tensor, of: Tensor, boxes: Tensor) -> Tensor:
        """(faces, 5, 2): x and y in whole pixels, as int64; `of` is the photo of each box."""
        shape = self._initial.expand(len(boxes), -1, -1)
        corner = boxes[:, None, :2].double()
        size = (boxes[:, None, 2:] - boxes[:, None, :2]).double()
        for cascade in range(len(self._anchors)):
            turn = similarity(self._initial, shape).float()
            x, y = self._deltas[cascade][:, :1], self._deltas[cascade][:, 1:]
            turned = x * turn[:, None, :, 0] + y * turn[:, None, :, 1]  # two products, not fused: dlib's own bits
            moved = turned + shape[:, self._anchors[cascade]]
            grey = _intensities(photos, of, _whole(moved.double() * size + corner))
            shape = self._descend(cascade, grey, shape)
        return _whole(shape.double() * size + corner)

    def _descend(self, cascade: int, grey: Tensor, shape: Tensor) -> Tensor:
        """The shape after all trees of a cascade."""
        pixels, thresholds, leaves = self._pixels[cascade], self._thresholds[cascade], self._leaves[cascade]
        right = (grey[:, pixels[..., 0]] - grey[:, pixels[..., 1]] <= thresholds).long()  # (faces, trees, splits)
        node = torch.zeros((*right.shape[:2], 1), dtype=torch.int64, device=grey.device)
        for _ in range(self._depth):
            node = 2 * node + 1 + right.gather(2, node)
        leaf = node.squeeze(2) - thresholds.shape[1]
        return _in_order(shape, leaves[torch.arange(len(leaves), device=leaf.device), leaf])


def _in_order(shape: Tensor, steps: Tensor) -> Tensor:
    """The shape plus all steps (faces, steps, 5, 2), one after the other as dlib adds them.

    Another order moves some pixels that the next cascade looks at, and in the end landmarks of one face in twenty. On a
    GPU a cumulative sum over an outer axis goes step by step, in float32; on a CPU it would go in float64.
    """
    if shape.is_cuda:
        return torch.cat([shape[:, None], steps], dim=1).cumsum(1)[:, -1]
    for step in steps.unbind(1):
        shape = shape + step
    return shape


def _whole(points: Tensor) -> Tensor:
    return (points + 0.5).floor().long()


def similarity(start: Tensor, end: Tensor) -> Tensor:
    """(faces, 2, 2): turn and scale that bring the points `start` nearest to `end`, each around its mean."""
    start, end = start.double(), end.double()
    start, end = start - start.mean(-2, keepdim=True), end - end.mean(-2, keepdim=True)
    along = (start * end).sum((-2, -1))
    across = (start[..., 0] * end[..., 1] - start[..., 1] * end[..., 0]).sum(-1)
    size = (start * start).sum((-2, -1))
    along, across = along / size, across / size
    return torch.stack([torch.stack([along, -across], -1), torch.stack([across, along], -1)], -2)


def _intensities(photos: Tensor, of: Tensor, points: Tensor) -> Tensor:
    """(faces, pixels): whole means of the three channels, as floats; 0 beyond the photo."""
    x, y = points.unbind(2)
    rows, columns = photos.shape[2:]
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    colours = photos[of[:, None], :, y.clamp(0, rows - 1), x.clamp(0, columns - 1)]
    return torch.where(inside, colours.sum(2, dtype=torch.int32) // 3, 0).float()
