"""What of a run's settings decides what becomes of a photo: all that a worker needs.

The names of what may be chosen are here, and not with the settings, so that a worker starts without Pydantic.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class FacesPolicy(StrEnum):
    """Which faces of a photo count, in the detector's order."""

    FIRST = "first"
    """the detector's first, as in `face_recognition.face_encodings(photo)[0]`"""
    LARGEST = "largest"
    """the one whose box has the largest area; of equals the first"""
    ALL = "all"
    """every face"""
    SINGLE = "single"
    """the only one; a photo with several has the outcome `several_faces`"""


class EmbedderName(StrEnum):
    """Who computes embeddings."""

    ONNX = "onnx"
    """dlib's detector, landmarks and chip; dlib's network in ONNX Runtime"""
    FACE_RECOGNITION = "face_recognition"
    """the reference: that package's own functions"""


class FaceRules(NamedTuple):
    """Which faces of a photo count: the settings `faces`, `min_face` and `min_score`."""

    policy: FacesPolicy = FacesPolicy.FIRST
    """applies to the faces that the other two leave"""
    min_face: int = 0
    """pixels of a box's shorter side"""
    min_score: float = 0.0
    """of the detector"""


@dataclass(frozen=True)
class PhotoSettings:
    """Settings of one name and meaning each with those of `meanface.settings`, which have checked them."""

    embedder: EmbedderName
    faces: FacesPolicy
    min_face: int
    min_score: float
    max_pixels: int
    max_side: int | None
    exif_orientation: bool
    face_pixels: bool

    @classmethod
    def from_json(cls, settings: str) -> PhotoSettings:
        """Those in a run's settings, as `Settings.model_dump_json` writes them."""
        values = json.loads(settings)
        return cls(
            EmbedderName(values["embedder"]),
            FacesPolicy(values["faces"]),
            values["min_face"],
            values["min_score"],
            values["max_pixels"],
            values["max_side"],
            values["exif_orientation"],
            values["face_pixels"],
        )
