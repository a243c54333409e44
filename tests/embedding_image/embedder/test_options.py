"""What `face_recognition` can be asked, asked of both: the same boxes, and embeddings within 1e-6."""

from __future__ import annotations

import dlib
import face_recognition
import numpy as np
import pytest
from face_recognition import api

from detection import find_faces
from meanface.embedder import dlib_models
from meanface.embedder.decode import Pixels
from meanface.embedder.embedder import DlibEmbedder, open_embedder
from meanface.photo_settings import EmbedderName, FacesPolicy, LandmarksName
from meanface.settings import Settings


@pytest.mark.long
@pytest.mark.parametrize(
    "embedder", [EmbedderName.DLIB, pytest.param(EmbedderName.FACE_RECOGNITION, marks=pytest.mark.long)]
)
@pytest.mark.parametrize(
    ("upsample", "landmarks", "num_jitters"),
    [
        (1, "large", 1),
        (1, "small", 5),
        *(
            pytest.param(*options, marks=pytest.mark.long)
            for options in ((0, "small", 1), (2, "small", 1), (0, "large", 3))
        ),
    ],
    ids=str,
)
def test_faces_are_those_of_face_recognition(
    embedder: EmbedderName,
    upsample: int,
    landmarks: str,
    num_jitters: int,
    portraits: list[Pixels],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`face_recognition` is as in a new process for each photo: its generator has made no copy yet."""
    options = {"upsample": upsample, "landmarks": landmarks, "num_jitters": num_jitters}
    ours = open_embedder(Settings.of(dataset="any", embedder=embedder, **options))
    for photo in portraits:
        boxes = face_recognition.face_locations(photo, upsample)
        monkeypatch.setattr(api, "face_encoder", dlib.face_recognition_model_v1(str(dlib_models.network_path())))
        encodings = face_recognition.face_encodings(photo, boxes, num_jitters, landmarks)
        found = find_faces(ours, photo, FacesPolicy.ALL).faces
        assert [face.box for face in found] == boxes
        assert boxes
        np.testing.assert_allclose(found[0].embedding, encodings[0], rtol=0, atol=1e-6)


def test_the_defaults_are_face_recognitions(portraits: list[Pixels]) -> None:
    """Of its function for embeddings; its function for landmarks has 68 points by default."""
    ours = open_embedder(Settings(dataset="any"))
    for photo in portraits:
        (face,) = find_faces(ours, photo, FacesPolicy.FIRST).faces
        small, large = (face_recognition.face_encodings(photo, model=model)[0] for model in ("small", "large"))
        np.testing.assert_array_equal(small, face_recognition.face_encodings(photo)[0])
        np.testing.assert_allclose(face.embedding, small, rtol=0, atol=1e-6)
        assert np.abs(face.embedding - large).max() > 1e-3


def test_defaults_written_out_change_no_bit(portraits: list[Pixels]) -> None:
    plain, written = DlibEmbedder(), DlibEmbedder(upsample=1, landmarks=LandmarksName.SMALL, num_jitters=1)
    for photo in portraits:
        (one,), (other,) = (find_faces(each, photo, FacesPolicy.FIRST).faces for each in (plain, written))
        assert one.embedding.tobytes() == other.embedding.tobytes()
