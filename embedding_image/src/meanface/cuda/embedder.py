"""Batches of photos to boxes, chips and embeddings, on one device."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meanface.cuda.chip import Chips
from meanface.cuda.detector import Detector
from meanface.cuda.landmarks import Landmarks
from meanface.cuda.network import Network, exact_float32
from meanface.cuda.weights import Weights


class Embedded(NamedTuple):
    """The faces of a batch: by photo, then in the detector's order."""

    photos: Tensor
    """(faces): index in the batch"""
    boxes: Tensor
    """(faces, 4): left, top, right, bottom; corners are included, and may lie beyond the photo"""
    chips: Tensor
    """(faces, 3, 150, 150)"""
    embeddings: Tensor
    """(faces, 128)"""
    uncertain: Tensor
    """photos that dlib is to be asked about: a decision was too near, or a chip is cut from a smaller copy"""


class BatchEmbedder:
    """All steps for photos of one size."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        self._detector = Detector(weights, device)
        self._landmarks = Landmarks(weights, device)
        self._chips = Chips(device)
        self._network = Network(weights, device)

    def __call__(self, photos: Tensor, first: bool = False) -> Embedded:
        """Of (photos, 3, rows, columns) of bytes; with `first` only each photo's first face."""
        with torch.inference_mode(), exact_float32():
            found = self._detector(photos)
            of, boxes = found.photos, found.boxes
            if first and len(of):
                begins = torch.cat([of.new_ones(1, dtype=torch.bool), of[1:] != of[:-1]])
                of, boxes = of[begins], boxes[begins]
            chips, large = self._chips(photos, of, self._landmarks(photos, of, boxes))
            uncertain = torch.cat([found.uncertain, of[large]]).unique()
            return Embedded(of, boxes, chips, self._network(chips), uncertain)
