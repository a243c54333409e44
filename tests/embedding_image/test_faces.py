"""Embeddings: the reference's within 1e-6, and a function of the photo alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import face_recognition
import numpy as np
import pytest

from meanface.chips import SHAPE
from meanface.faces import CHIPS_AT_ONCE, Box, FaceEmbedder, OnnxEmbedder, ReferenceEmbedder, choose, find_faces
from meanface.photo import Pixels
from meanface.settings import FacesPolicy


@pytest.fixture(scope="module")
def onnx() -> FaceEmbedder:
    return OnnxEmbedder()


@pytest.fixture(scope="module")
def reference() -> FaceEmbedder:
    return ReferenceEmbedder()


def variants(photo: Pixels) -> Iterator[Pixels]:
    """A photo, mirrored, darkened, and cut so that a face leaves it."""
    yield photo
    yield np.ascontiguousarray(photo[:, ::-1])
    yield photo // 2
    yield np.ascontiguousarray(photo[60:, :330])


def test_onnx_agrees_with_the_reference(onnx: FaceEmbedder, reference: FaceEmbedder, portraits: list[Pixels]) -> None:
    photos = [variant for portrait in portraits for variant in variants(portrait)]
    faces = 0
    for photo in photos:
        ours, theirs = (find_faces(embedder, photo, FacesPolicy.ALL) for embedder in (onnx, reference))
        assert [face.box for face in ours.chosen] == [face.box for face in theirs.chosen]
        for our, their in zip(ours.chosen, theirs.chosen, strict=True):
            np.testing.assert_allclose(our.embedding, their.embedding, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(our.chip, their.chip)
        faces += ours.found
    assert faces >= len(photos)


def test_the_reference_is_the_package(reference: FaceEmbedder, portraits: list[Pixels]) -> None:
    both = np.concatenate([portrait[:500, :500] for portrait in portraits], axis=1)
    for photo in [*(variant for portrait in portraits for variant in variants(portrait)), both]:
        found = find_faces(reference, photo, FacesPolicy.ALL).chosen
        encodings = face_recognition.face_encodings(photo)
        np.testing.assert_array_equal([face.embedding for face in found], np.array(encodings, np.float32))
        assert [face.box for face in found] == face_recognition.face_locations(photo)
    assert len(found) == 2


def test_the_chip_is_what_the_network_sees(
    onnx: OnnxEmbedder, reference: FaceEmbedder, portraits: list[Pixels]
) -> None:
    """Each network gives for the chip alone the face's embedding, to the bit."""
    for photo in portraits:
        (ours,), (theirs,) = (find_faces(embedder, photo, FacesPolicy.FIRST).chosen for embedder in (onnx, reference))
        assert (ours.chip.shape, ours.chip.dtype) == (SHAPE, np.uint8)
        (embeddings,) = onnx._network.run(None, {"chips": ours.chip[None]})
        np.testing.assert_array_equal(embeddings[0], ours.embedding)
        encoding = np.array(face_recognition.api.face_encoder.compute_face_descriptor(theirs.chip))
        np.testing.assert_array_equal(encoding.astype(np.float32), theirs.embedding)


def test_an_embedding_depends_on_its_photo_alone(onnx: FaceEmbedder, portraits: list[Pixels]) -> None:
    """Neither on what came before, nor on the object, nor on what other threads do."""

    def embeddings(embedder: FaceEmbedder, photos: list[Pixels]) -> dict[int, bytes]:
        return {
            id(photo): find_faces(embedder, photo, FacesPolicy.FIRST).chosen[0].embedding.tobytes() for photo in photos
        }

    expected = embeddings(onnx, portraits)
    assert embeddings(onnx, portraits[::-1]) == expected
    with ThreadPoolExecutor(4) as threads:
        for answer in threads.map(lambda _: embeddings(OnnxEmbedder(), portraits * 3), range(4)):
            assert answer == expected


@pytest.mark.parametrize("name", ["onnx", "reference"])
def test_an_embedding_does_not_depend_on_those_beside_it(name: str, request: pytest.FixtureRequest) -> None:
    embedder: FaceEmbedder = request.getfixturevalue(name)
    chips = np.random.default_rng(0).integers(0, 256, (CHIPS_AT_ONCE + 3, *SHAPE), dtype=np.uint8)
    alone = np.concatenate([embedder.embed([chip]) for chip in chips])
    for count in (0, 2, 3, 5, 8, CHIPS_AT_ONCE - 1, CHIPS_AT_ONCE, len(chips)):
        np.testing.assert_array_equal(embedder.embed(list(chips[:count])), alone[:count])
    np.testing.assert_array_equal(embedder.embed(list(chips[::-1])), alone[::-1])


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (80, 2, 3), (79, 79, 3)])
def test_photos_too_small_for_a_face_have_none(onnx: FaceEmbedder, shape: tuple[int, ...]) -> None:
    assert onnx.detect(np.zeros(shape, np.uint8), FacesPolicy.ALL).found == 0


def test_the_largest_of_equals_is_the_first() -> None:
    assert choose([Box(0, 9, 9, 0), Box(0, 20, 20, 10), Box(5, 14, 14, 5)], FacesPolicy.LARGEST) == [1]
    assert choose([Box(0, 9, 9, 0), Box(5, 14, 14, 5)], FacesPolicy.LARGEST) == [0]


@pytest.mark.parametrize("policy", FacesPolicy)
def test_of_no_face_none_is_chosen(policy: FacesPolicy) -> None:
    assert choose([], policy) == []


def test_policy_single_takes_the_only_face() -> None:
    assert choose([Box(0, 9, 9, 0)], FacesPolicy.SINGLE) == [0]
