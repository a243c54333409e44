"""A photo of every mode and oddity: the faces are face_recognition's. tests/odd_photos has five hundred of them."""

from __future__ import annotations

import pytest

from meanface.embedder.embedder import DlibEmbedder
from oddphotos import MAKERS, OddPhoto, compared, odd_photos

PHOTOS = list(odd_photos(len(MAKERS)))


@pytest.fixture(scope="module")
def embedder() -> DlibEmbedder:
    return DlibEmbedder()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::UserWarning")  # the reference lets Pillow's warnings through
@pytest.mark.parametrize("photo", PHOTOS, ids=[photo.name for photo in PHOTOS])
def test_faces_boxes_and_embeddings_are_the_references(photo: OddPhoto, embedder: DlibEmbedder) -> None:
    assert compared(photo, embedder) or "one bit" in photo.name
