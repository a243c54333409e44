"""dlib's frontal face detector for batches of equal photos."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meanface.cuda.hog import Hog
from meanface.cuda.pyramid import Pyramid, Size
from meanface.cuda.scan import Scan
from meanface.cuda.suppression import boxes_of, halved, suppress
from meanface.cuda.weights import Weights

TOLERANCE = 2e-5
"""Differences of scores that decide nothing, as in `meanface.detector.native`."""


class Found(NamedTuple):
    """The faces of a batch: by photo, then by falling score."""

    photos: Tensor
    """(faces): index in the batch"""
    boxes: Tensor
    """(faces, 4): left, top, right, bottom; corners are included, and may lie beyond the photo"""
    scores: Tensor
    uncertain: Tensor
    """photos in which a decision hung on less than the tolerance: dlib may find other faces"""


class _Plan(NamedTuple):
    """What photos of one size share."""

    pyramid: Pyramid
    hogs: list[Hog]
    boxes: Tensor


class Detector:
    """Finds the faces of photos that have one size."""

    def __init__(self, weights: Weights, device: torch.device, plans: int = 8) -> None:
        self._device, self._most = device, plans
        self._scan = Scan(weights, device)
        self._limits = torch.tensor(weights.limits, device=device)
        self._plans: dict[Size, _Plan] = {}

    def __call__(self, photos: Tensor) -> Found:
        """The faces of (photos, 3, rows, columns) of bytes."""
        plan = self._plan(Size(*photos.shape[2:]))
        scores = torch.cat([self._scan(hog(level)) for hog, level in self._levels(plan, photos)], dim=1)
        near = (scores.abs() < TOLERANCE).any(2).any(1).nonzero().squeeze(1)
        of, window, which = (scores >= 0).nonzero(as_tuple=True)
        found = scores[of, window, which]
        order = torch.sort(found, descending=True, stable=True).indices
        order = order[torch.sort(of[order], stable=True).indices]
        of, boxes, found = of[order], plan.boxes[window[order]], found[order]
        stays, uncertain = suppress(of, boxes, found, self._limits, TOLERANCE)
        return Found(of[stays], halved(boxes[stays]), found[stays], torch.cat([near, uncertain]).unique())

    def _levels(self, plan: _Plan, photos: Tensor) -> list[tuple[Hog, Tensor]]:
        """Those that have windows."""
        pairs = zip(plan.hogs, plan.pyramid(photos), strict=True)
        return [(hog, level) for hog, level in pairs if min(hog.windows) > 0]

    def _plan(self, size: Size) -> _Plan:
        if size not in self._plans:
            while len(self._plans) >= self._most:
                del self._plans[next(iter(self._plans))]
            pyramid = Pyramid(size, self._device)
            hogs = [Hog(level, self._device) for level in pyramid.sizes]
            boxes = [boxes_of(i, hog.windows) for i, hog in enumerate(hogs) if min(hog.windows) > 0]
            self._plans[size] = _Plan(pyramid, hogs, torch.cat(boxes).to(self._device))
        return self._plans[size]
