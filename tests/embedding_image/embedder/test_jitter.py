"""The copies of a chip are dlib's, and the mean of their embeddings depends on nothing else."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import dlib
import face_recognition
import numpy as np
import pytest
from numpy.typing import NDArray

from detection import find_faces
from meanface.embedder import dlib_models
from meanface.embedder.decode import Pixels
from meanface.embedder.embedder import DlibEmbedder, FaceEmbedder, ReferenceEmbedder
from meanface.embedder.jitter import AT_ONCE, jitter
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.network import usable_kernels
from meanface.photo_settings import FacesPolicy
from meanface.settings import Settings
from meanface.stats.chip_sum import SHAPE, Chip
from meanface.workers.pool import Workers
from meanface.workers.prefetch import PhotoBytes

COUNT = 200

FRESH = """
import hashlib, json, sys
import dlib, numpy as np
chip = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(150, 150, 3)
print(json.dumps([hashlib.sha256(copy.tobytes()).hexdigest() for copy in dlib.jitter_image(chip, int(sys.argv[1]))]))
"""

FACE_RECOGNITION = """
import json, sys
import face_recognition
photo = face_recognition.load_image_file(sys.argv[1])
print(json.dumps([list(face_recognition.face_encodings(photo, num_jitters=int(sys.argv[2]))[0]) for _ in range(2)]))
"""


@pytest.fixture(scope="module")
def chips(portraits: list[Pixels]) -> list[Chip]:
    """Two faces, and noise."""
    embedder = DlibEmbedder()
    faces = [find_faces(embedder, photo, FacesPolicy.FIRST).faces[0].chip for photo in portraits]
    noise = np.random.default_rng(3).integers(0, 256, SHAPE, np.uint8)
    return [*(chip for chip in faces if chip is not None), noise]


def test_the_copies_are_those_that_dlib_makes_first_in_a_process(chips: list[Chip]) -> None:
    """dlib's own function has one generator for the whole process; a new process begins with its first numbers."""
    for chip in chips:
        command = [sys.executable, "-c", FRESH, str(COUNT)]
        printed = subprocess.run(command, input=chip.tobytes(), stdout=subprocess.PIPE, check=True).stdout
        assert [hashlib.sha256(copy.tobytes()).hexdigest() for copy in jitter(chip, COUNT)] == json.loads(printed)


@pytest.mark.long
@pytest.mark.parametrize("count", [2, *(pytest.param(count, marks=pytest.mark.long) for count in (5, AT_ONCE + 3))])
def test_embeddings_are_those_of_a_new_network_object_of_dlib(count: int, chips: list[Chip]) -> None:
    embedder = DlibEmbedder(num_jitters=count)
    for chip, embedding in zip(chips, embedder.embed(chips), strict=True):
        fresh = dlib.face_recognition_model_v1(str(dlib_models.network_path()))
        np.testing.assert_allclose(embedding, fresh.compute_face_descriptor(chip, count), rtol=0, atol=1e-6)


@pytest.mark.long
def test_embeddings_are_those_of_face_recognition_in_a_new_process(portrait_files: list[Path]) -> None:
    """Its own second embedding of the same photo is another one; ours is the same."""
    command = [sys.executable, "-W", "ignore", "-c", FACE_RECOGNITION, str(portrait_files[0]), "10"]
    first, second = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    photo = face_recognition.load_image_file(portrait_files[0])
    embedder = DlibEmbedder(num_jitters=10)
    ours = [find_faces(embedder, photo, FacesPolicy.FIRST).faces[0].embedding for _ in range(2)]
    np.testing.assert_allclose(ours[0], first, rtol=0, atol=1e-6)
    assert np.abs(ours[0] - np.array(second)).max() > 1e-4
    assert ours[0].tobytes() == ours[1].tobytes()


@pytest.mark.parametrize("kind", [DlibEmbedder, pytest.param(ReferenceEmbedder, marks=pytest.mark.long)])
def test_an_embedding_does_not_depend_on_its_neighbours(kind: type, chips: list[Chip]) -> None:
    embedder: FaceEmbedder = kind(num_jitters=3)
    alone = np.concatenate([embedder.embed([chip]) for chip in chips])
    np.testing.assert_array_equal(embedder.embed(chips), alone)
    np.testing.assert_array_equal(embedder.embed(chips[::-1]), alone[::-1])
    np.testing.assert_array_equal(kind(num_jitters=3).embed(chips), alone)
    assert embedder.embed([]).shape == (0, 128)


def test_both_embedders_agree(chips: list[Chip]) -> None:
    ours, theirs = (kind(num_jitters=4).embed(chips) for kind in (DlibEmbedder, ReferenceEmbedder))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.skipif(not usable_kernels(), reason="the native network is not there")
def test_all_kernels_give_the_same_bits(chips: list[Chip]) -> None:
    found = [DlibEmbedder(kernels=KernelChoice(name), num_jitters=5).embed(chips) for name in usable_kernels()]
    assert {each.tobytes() for each in found} == {found[0].tobytes()}


def test_one_copy_is_the_chip_itself(chips: list[Chip]) -> None:
    np.testing.assert_array_equal(DlibEmbedder(num_jitters=1).embed(chips), DlibEmbedder().embed(chips))


def embedded(photos: list[bytes], count: int, size: int) -> list[bytes]:
    """Embeddings by so many workers, in groups of a size."""
    readings = [PhotoBytes(index, f"{index}.jpg", data, bytes(32)) for index, data in enumerate(photos)]
    groups = [readings[start : start + size] for start in range(0, len(readings), size)]
    with Workers(count, Settings(dataset="any", num_jitters=3)) as pool:
        found = dict(pool.results(groups))
    return [found[index].faces[0].embedding.tobytes() for index in range(len(photos))]


def test_no_bit_depends_on_the_worker_or_the_group(portrait_files: list[Path], portraits: list[Pixels]) -> None:
    photos = [file.read_bytes() for file in portrait_files] * 2
    one = embedded(photos, 1, len(photos))
    assert embedded(photos[::-1], 2, 1)[::-1] == one
    embedder = DlibEmbedder(num_jitters=3)
    here: list[NDArray[np.float32]] = [
        find_faces(embedder, photo, FacesPolicy.FIRST).faces[0].embedding for photo in portraits
    ]
    assert [each.tobytes() for each in here] * 2 == one
