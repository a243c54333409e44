"""Faces of one photo, found and embedded by an embedder alone, without workers."""

from __future__ import annotations

from meanface.embedder.decode import Photo, Pixels
from meanface.embedder.embedder import FaceEmbedder, detect_faces
from meanface.embedder.orientation import UPRIGHT
from meanface.embedder.result import PhotoResult
from meanface.photo_settings import FaceRules, FacesPolicy


def find_faces(embedder: FaceEmbedder, photo: Pixels, policy: FacesPolicy) -> PhotoResult:
    """The result of a photo, with the faces that a policy chooses."""
    detection = detect_faces(embedder, Photo(photo, UPRIGHT), FaceRules(policy))
    return PhotoResult.of(detection, iter(embedder.embed(list(detection.chips.values()))))
