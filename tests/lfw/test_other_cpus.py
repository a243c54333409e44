"""The first 200 photos on 64-bit ARM, by emulation: the same faces, landmarks and embeddings, to the last bit."""

from __future__ import annotations

import itertools
import tarfile
from pathlib import Path

import numpy as np
import pytest

from meanface.embedder.decode import decode
from meanface.embedder.detector.dlib import rounded
from meanface.embedder.embedder import DlibEmbedder, detect_faces
from meanface.embedder.landmarks import DlibLandmarks
from meanface.embedder.network import usable_kernels
from meanface.photo_settings import FaceRules
from meanface.settings import Settings
from other_cpus import TARGETS

PHOTOS = 200

pytestmark = [
    pytest.mark.usefixtures("all_photos"),
    pytest.mark.timeout(3000),
    pytest.mark.skipif(not usable_kernels(), reason="the native network is not there"),
]


def test_an_arm_processor_gives_the_same_bits(archive: Path, tmp_path: Path) -> None:
    program = TARGETS["aarch64 with dot products"].program(tmp_path)
    embedder, landmarks, settings = DlibEmbedder(), DlibLandmarks(), Settings(dataset="sample")
    chips = []
    with tarfile.open(archive) as photos:
        for member in itertools.islice((member for member in photos if member.isfile()), PHOTOS):
            photo = decode(photos.extractfile(member).read(), settings)
            found = embedder.find(photo.pixels)
            there, _ = program.find(photo.pixels)
            here = [(box.left(), box.top(), box.right(), box.bottom(), score) for box, score in found]
            assert [(*face[:4], rounded(face[4])) for face in there] == here
            for box, _ in found:
                points = [(point.x, point.y) for point in landmarks.find(photo.pixels, box).parts()]
                assert program.landmarks(photo.pixels, box) == points
            chips += detect_faces(embedder, photo, FaceRules()).chips.values()
    assert len(chips) > 0.9 * PHOTOS
    faces = np.stack(chips)
    np.testing.assert_array_equal(program.embed(faces), embedder.embed(list(faces)))
