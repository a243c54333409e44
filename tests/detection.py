"""Faces of one photo, found and embedded by an embedder alone, without workers."""

from __future__ import annotations

from meanface.embedder.decode import Pixels
from meanface.embedder.embedder import FaceEmbedder, embed_faces
from meanface.embedder.faces import Faces
from meanface.photo_settings import FaceRules, FacesPolicy


def find_faces(embedder: FaceEmbedder, photo: Pixels, policy: FacesPolicy) -> Faces:
    """The faces of a photo that a policy chooses."""
    (faces,) = embed_faces(embedder, [embedder.detect(photo, FaceRules(policy))])
    return faces
