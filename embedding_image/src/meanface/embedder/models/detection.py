"""Detector networks: scale a photo to the input, and read faces from the outputs (YuNet, SCRFD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from meanface.embedder.decode import Pixels
from meanface.embedder.detector.dlib import Found
from meanface.embedder.models.plain import DetectorData
from meanface.embedder.models.session import Session
from meanface.errors import SettingsError

Float32 = NDArray[np.float32]

STRIDES = (8, 16, 32)
DIVISOR = 32
SIZES = (1, 1, 4, 10)
"""of YuNet's outputs at each place: class, object, box, points"""
MOST = 5000
"""candidates that are compared with each other, those with the highest scores"""
ANCHORS = 2
"""of SCRFD at each place"""


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
        expected = {f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES}
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

    def find(self, photo: Pixels) -> list[Found]:
        """The faces, by falling score."""
        picture, scale = fitted(photo, self._data.size)
        found = self._candidates(picture)
        return [
            Found(
                LandmarkedBox(
                    tuple((found.boxes[i].astype(np.float64) / scale).tolist()),
                    found.points[i].astype(np.float64).reshape(5, 2) / scale,
                ),
                float(found.scores[i]),
            )
            for i in distinct(found, self._data.nms_threshold, whole=self._data.kind == "yunet")
        ]

    def _candidates(self, picture: Pixels) -> Candidates:
        if self._data.kind == "yunet":  # BGR, as it is
            values = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None], np.float32)
            named = dict(zip(self._session.outputs, self._session.run(values), strict=True))
            return yunet(named, picture.shape[1], self._data.score_threshold)
        values = (picture.astype(np.float32) - np.float32(127.5)) / np.float32(128)
        outputs = self._session.run(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
        return scrfd(outputs, picture.shape[1], self._data.score_threshold)


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
        kinds = (outputs[f"{kind}_{stride}"] for kind in ("cls", "obj", "bbox", "kps"))
        classes, objects, boxes, points = (
            one.reshape(-1, size) for one, size in zip(kinds, (1, 1, 4, 10), strict=True)
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
            outputs[number + kind * len(STRIDES)].reshape(-1, size) for kind, size in enumerate((1, 4, 10))
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
