"""The settings that a worker process needs.

They are apart from the other settings, so that a worker starts without importing Pydantic.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import NamedTuple


class FacesPolicy(StrEnum):
    """Which faces of a photo count, in the detector's order."""

    FIRST = "first"
    """the detector's first, as in `face_recognition.face_encodings(photo)[0]`"""
    LARGEST = "largest"
    """the face with the largest box; of equal ones, the first"""
    ALL = "all"
    """every face"""
    SINGLE = "single"
    """the only face; a photo with several has the outcome `several_faces`"""


class EmbedderName(StrEnum):
    """The implementation that computes embeddings."""

    DLIB = "dlib"
    """dlib's detector, landmarks, chip and network, in faster code"""
    FACE_RECOGNITION = "face_recognition"
    """the reference: the functions of that package"""
    ONNX = "onnx"
    """the name of `dlib` until version 0.2, which settings replace"""


def is_card(embedder: str) -> bool:
    """Whether the setting `embedder` is the path or address of a model card."""
    return embedder not in set(EmbedderName)


class DetectorName(StrEnum):
    """The detector that finds faces."""

    HOG = "hog"
    """dlib's frontal face detector: histograms of oriented gradients"""
    CNN = "cnn"
    """dlib's convolutional network: also finds turned faces, and takes about 20 times as long"""


class LandmarksName(StrEnum):
    """dlib's landmarks, by which a face is aligned; `face_recognition` has the same names."""

    SMALL = "small"
    """5 points, as in `face_recognition.face_encodings`"""
    LARGE = "large"
    """68 points, as in its `face_encodings(model="large")`"""


class FaceRules(NamedTuple):
    """Which faces of a photo count: the settings `faces`, `min_face` and `min_score`."""

    policy: FacesPolicy = FacesPolicy.FIRST
    """applied after the other two"""
    min_face: int = 0
    """pixels of a box's shorter side"""
    min_score: float = 0.0
    """of the detector"""


@dataclass(frozen=True)
class PhotoSettings:
    """Copies of fields of `meanface.settings.Settings`, which has validated them."""

    embedder: str
    """an `EmbedderName`, or the path or address of a model card"""
    detector: DetectorName
    faces: FacesPolicy
    min_face: int
    min_score: float
    upsample: int
    landmarks: LandmarksName
    num_jitters: int
    max_pixels: int
    max_side: int | None
    exif_orientation: bool
    face_pixels: bool

    @classmethod
    def from_json(cls, settings: str) -> PhotoSettings:
        """Parse the fields from `Settings.model_dump_json`."""
        values = json.loads(settings)
        own = {field.name: values[field.name] for field in fields(cls)}
        kinds = {
            "embedder": str if is_card(own["embedder"]) else EmbedderName,
            "detector": DetectorName,
            "faces": FacesPolicy,
            "landmarks": LandmarksName,
        }
        return cls(**own | {name: kind(own[name]) for name, kind in kinds.items()})
