"""Real photos: what `face_recognition` can be asked, asked of both; of the first 60, as copies take long."""

from __future__ import annotations

import io
import tarfile
from itertools import islice
from pathlib import Path

import dlib
import face_recognition
import numpy as np
import pytest
from face_recognition import api

from detection import find_faces
from meanface.embedder import dlib_models
from meanface.embedder.decode import Pixels
from meanface.embedder.embedder import DlibEmbedder
from meanface.photo_settings import FacesPolicy, LandmarksName

PHOTOS = 60

pytestmark = [pytest.mark.usefixtures("all_photos"), pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def photos(archive: Path) -> list[Pixels]:
    with tarfile.open(archive) as opened:
        files = (opened.extractfile(member) for member in opened if member.isfile())
        return [face_recognition.load_image_file(io.BytesIO(file.read())) for file in islice(files, PHOTOS) if file]


@pytest.mark.parametrize(
    ("upsample", "landmarks", "num_jitters"),
    [(0, "small", 1), (2, "small", 1), (3, "small", 1), (1, "large", 1), (1, "small", 3), (0, "large", 2)],
)
def test_faces_are_those_of_face_recognition(
    photos: list[Pixels], upsample: int, landmarks: str, num_jitters: int
) -> None:
    """Through its inner functions, as its outer ones cut boxes at a photo's edge before they look for landmarks."""
    ours = DlibEmbedder(upsample=upsample, landmarks=LandmarksName(landmarks), num_jitters=num_jitters)
    predict = {"small": api.pose_predictor_5_point, "large": api.pose_predictor_68_point}[landmarks]
    faces, largest = 0, 0.0
    for photo in photos:
        boxes = face_recognition.face_locations(photo, upsample)
        found = find_faces(ours, photo, FacesPolicy.ALL).faces
        assert [face.box for face in found] == boxes
        for face, rectangle in zip(found, api._raw_face_locations(photo, upsample), strict=True):
            encoder = api.face_encoder
            if num_jitters > 1:  # a new one, whose generator has made no copy yet
                encoder = dlib.face_recognition_model_v1(str(dlib_models.network_path()))
            expected = np.array(encoder.compute_face_descriptor(photo, predict(photo, rectangle), num_jitters))
            largest = max(largest, float(np.abs(face.embedding - expected).max()))
            faces += 1
    print(f"upsample={upsample} landmarks={landmarks} num_jitters={num_jitters}: {faces} faces, largest {largest:.2g}")
    assert faces >= PHOTOS * 0.8
    assert largest <= 1e-6
    if upsample:
        assert getattr(ours._detector, "handed_over", 0) <= 3
