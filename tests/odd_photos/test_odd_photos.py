"""Five hundred photos of 65 kinds: faces, boxes and embeddings are face_recognition's, within 1e-6.

Where the reading differs by a rule of docs/compatibility.md, they are those of the photo that the rule makes of it.
"""

from __future__ import annotations

import pytest

from meanface.embedder.embedder import DlibEmbedder
from oddphotos import compared, odd_photos


@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore::UserWarning")  # the reference lets Pillow's warnings through
def test_faces_boxes_and_embeddings_are_the_references() -> None:
    embedder = DlibEmbedder()
    faces = [compared(photo, embedder) for photo in odd_photos(500)]
    assert len(faces) == 500
    assert sum(found > 0 for found in faces) > 450
    assert max(faces) > 1
