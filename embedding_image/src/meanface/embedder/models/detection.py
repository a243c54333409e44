"""Detector networks: scale a photo to the input, and read faces from the outputs (YuNet, SCRFD)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from meanface.embedder.decode import PhotoRefused, Pixels
from meanface.embedder.detector.dlib import Found
from meanface.embedder.models.plain import DetectorData
from meanface.embedder.models.session import Session
from meanface.errors import SettingsError
from meanface.outcome import Outcome

Float32 = NDArray[np.float32]

STRIDES = (8, 16, 32)
DIVISOR = 32
SIZES = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""of YuNet's outputs at each place: class, object, box, points"""
SCRFD_SIZES = (1, 4, 10)
"""of SCRFD's outputs at each place: score, box, points"""
MOST = 5000
"""candidates that are compared with each other, those with the highest scores"""
ANCHORS = 2
"""of SCRFD at each place"""
TRIED = (96, 64)
"""width and height of the picture on which a network for photos of any size is tried"""
LARGEST = float(1 << 30)
"""pixels: farther from the photo's corner is no face, and the ledger has 32 bits for an edge"""


@dataclass(frozen=True)
class LandmarkedBox:
    """A face as a detector network finds it, in pixels of the photo; a `Rectangle` with five points."""

    edges: tuple[float, float, float, float]
    """left, top, right, bottom"""
    points: NDArray[np.float64]
    """(5, 2)"""

    def left(self) -> int:
        """As of a `dlib.rectangle`, to the nearest pixel."""
        return round(self.edges[0])

    def top(self) -> int:
        """As of a `dlib.rectangle`, to the nearest pixel."""
        return round(self.edges[1])

    def right(self) -> int:
        """As of a `dlib.rectangle`, to the nearest pixel."""
        return round(self.edges[2])

    def bottom(self) -> int:
        """As of a `dlib.rectangle`, to the nearest pixel."""
        return round(self.edges[3])


class Candidates(NamedTuple):
    """Places of the input with a score above the threshold."""

    scores: Float32
    boxes: Float32
    """(n, 4): left, top, right, bottom"""
    points: Float32
    """(n, 10): x and y of five points"""


class NetworkDetector:
    """Finds faces with a network; `SettingsError` if it is not of the kind that the card names."""

    def __init__(self, card: str, data: DetectorData) -> None:
        self._data, self._card = data, card
        self._session = Session(card, data.network, free_size=data.size is None)
        names = set(self._session.outputs)
        expected = {f"{kind}_{stride}" for kind in SIZES for stride in STRIDES}
        if data.kind == "yunet" and not expected <= names:
            raise SettingsError(
                f"model card {card}: detector.kind=yunet: {data.network.path} has the outputs "
                f"{', '.join(sorted(names))}, and YuNet has {', '.join(sorted(expected))}"
            )
        if data.kind == "scrfd" and len(names) != 3 * len(STRIDES):
            raise SettingsError(
                f"model card {card}: detector.kind=scrfd: {data.network.path} has {len(names)} outputs; SCRFD with "
                f"five points has {3 * len(STRIDES)}"
            )
        self._check()

    def find(self, photo: Pixels) -> list[Found]:
        """The faces, by falling score; PhotoRefused if one has no possible place."""
        picture, scale = fitted(photo, self._data.size)
        outputs, width, threshold = self._outputs(picture), picture.shape[1], self._data.score_threshold
        by_yunet = self._data.kind == "yunet"
        found = yunet(outputs, width, threshold) if by_yunet else scrfd([*outputs.values()], width, threshold)
        if not all((np.abs(places) < LARGEST * scale).all() for places in (found.boxes, found.points)):  # nor NaN
            raise PhotoRefused(Outcome.CRASHED, "the detector's network computes no possible place of a face")
        return [
            Found(
                LandmarkedBox(
                    tuple((found.boxes[i].astype(np.float64) / scale).tolist()),
                    found.points[i].astype(np.float64).reshape(5, 2) / scale,
                ),
                float(found.scores[i]),
            )
            for i in distinct(found, self._data.nms_threshold, whole=by_yunet)
        ]

    def _outputs(self, picture: Pixels) -> dict[str, Float32]:
        if self._data.kind == "yunet":  # BGR, as it is
            values = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None], np.float32)
        else:
            scaled = (picture.astype(np.float32) - np.float32(127.5)) / np.float32(128)
            values = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
        outputs = self._session.run(values)
        return dict(zip(self._session.outputs, outputs, strict=True))

    def _check(self) -> None:
        """Try the network on a grey picture."""
        data = self._data
        width, height = data.size or TRIED
        given = [1, 3, height, width]
        advice = "write the width and height that it takes as detector.size"
        if not self._session.takes(given):
            raise SettingsError(
                f"model card {self._card}: detector.size: {data.network.path} takes an input of "
                f"{self._session.shape}, and the card describes one of {given}: {advice}"
            )
        try:
            outputs = self._outputs(np.full((height, width, 3), 128, np.uint8))
        except SettingsError as refused:
            raise SettingsError(f"{refused}; {advice}") from None
        for name, stride, size in self._layout():
            places = (ANCHORS if data.kind == "scrfd" else 1) * (height // stride) * (width // stride)
            shape = outputs[name].shape
            if outputs[name].size != places * size or (size > 1 and shape[-1] != size):
                raise SettingsError(
                    f"model card {self._card}: detector.kind={data.kind}: the output {name} of {data.network.path} has "
                    f"the shape {list(shape)} for an input of {given}; expected [{places}, {size}]"
                )

    def _layout(self) -> list[tuple[str, int, int]]:
        """Name, stride and size of each output."""
        if self._data.kind == "yunet":
            return [(f"{kind}_{stride}", stride, size) for kind, size in SIZES.items() for stride in STRIDES]
        places = product(SCRFD_SIZES, STRIDES)
        return [(name, stride, size) for name, (size, stride) in zip(self._session.outputs, places, strict=True)]


def fitted(photo: Pixels, size: tuple[int, int] | None) -> tuple[Pixels, float]:
    """The photo at the top left of a black picture of the input's size, and how much it was scaled.

    Without a size it keeps its own, rounded up to a multiple of 32.

    >>> picture, scale = fitted(np.full((100, 200, 3), 9, np.uint8), (64, 64))
    >>> picture.shape, scale, int(picture[31].max()), int(picture[32].max())
    ((64, 64, 3), 0.32, 9, 0)
    """
    rows, columns = photo.shape[:2]
    scale = 1.0
    if size is not None:
        scale = min(size[0] / columns, size[1] / rows)
        new = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        if new != (columns, rows):
            photo = np.asarray(Image.fromarray(photo).resize(new, Image.Resampling.BILINEAR))
    width, height = size or tuple(-(-side // DIVISOR) * DIVISOR for side in (columns, rows))
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: photo.shape[0], : photo.shape[1]] = photo
    return picture, scale


def yunet(outputs: dict[str, Float32], width: int, threshold: float) -> Candidates:
    """Faces from the outputs of YuNet (2023) for an input of this width, as OpenCV's FaceDetectorYN reads them."""
    parts = []
    for stride in STRIDES:
        classes, objects, boxes, points = (
            outputs[f"{kind}_{stride}"].reshape(-1, size) for kind, size in SIZES.items()
        )
        scores = np.sqrt(classes.clip(0, 1) * objects.clip(0, 1))[:, 0]
        taken = np.flatnonzero(scores >= np.float32(threshold))
        row, column = np.divmod(taken.astype(np.float32), np.float32(width // stride))
        cell = np.stack([column, row], axis=1)
        centre = (cell + boxes[taken, :2]) * stride
        half = np.exp(boxes[taken, 2:]) * np.float32(stride / 2)
        corners = np.concatenate([centre - half, centre + half], axis=1)
        parts.append(Candidates(scores[taken], corners, (points[taken] + np.tile(cell, 5)) * stride))
    return _joined(parts)


def scrfd(outputs: list[Float32], width: int, threshold: float) -> Candidates:
    """Faces from the nine outputs of SCRFD for an input of this width: scores, boxes, points by stride."""
    parts = []
    for number, stride in enumerate(STRIDES):
        scores, boxes, points = (
            outputs[number + kind * len(STRIDES)].reshape(-1, size) for kind, size in enumerate(SCRFD_SIZES)
        )
        taken = np.flatnonzero(scores[:, 0] >= np.float32(threshold))
        row, column = np.divmod((taken // ANCHORS).astype(np.float32), np.float32(width // stride))
        place = np.stack([column, row], axis=1) * stride
        far = boxes[taken] * stride
        corners = np.concatenate([place - far[:, :2], place + far[:, 2:]], axis=1)
        parts.append(Candidates(scores[taken, 0], corners, np.tile(place, 5) + points[taken] * stride))
    return _joined(parts)


def distinct(found: Candidates, overlap: float, *, whole: bool) -> list[int]:
    """Candidates by falling score, without those that overlap one with a higher score by more than `overlap`.

    With `whole`, boxes are cut to whole pixels first, as OpenCV does.
    """
    order = np.argsort(-found.scores, kind="stable")[:MOST]
    boxes = found.boxes[order].astype(np.float64)
    if whole:
        corner, size = np.trunc(boxes[:, :2]), np.trunc(found.boxes[order, 2:] - found.boxes[order, :2])
        boxes = np.concatenate([corner, corner + size], axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    kept: list[int] = []
    left = np.arange(len(order))
    while len(left):
        first, left = int(left[0]), left[1:]
        kept.append(int(order[first]))
        corner = np.maximum(boxes[first, :2], boxes[left, :2])
        common = np.minimum(boxes[first, 2:], boxes[left, 2:]) - corner
        both = np.where((common > 0).all(axis=1), common.prod(axis=1), 0)
        either = areas[first] + areas[left] - both
        left = left[both <= overlap * np.maximum(either, 1e-9)]
    return kept


def _joined(parts: list[Candidates]) -> Candidates:
    return Candidates(*(np.concatenate(column) for column in zip(*parts, strict=True)))
