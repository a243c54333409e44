"""Embeddings: the reference's within 1e-6, and a function of the photo alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import face_recognition
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection import find_faces
from meanface.embedder.decode import Pixels
from meanface.embedder.embedder import DlibEmbedder, FaceEmbedder, ReferenceEmbedder, choose
from meanface.embedder.faces import Box, LeftOut
from meanface.photo_settings import FaceRules, FacesPolicy
from meanface.stats.chip_sum import SHAPE


@pytest.fixture(scope="module")
def fast() -> FaceEmbedder:
    return DlibEmbedder()


@pytest.fixture(scope="module")
def reference() -> FaceEmbedder:
    return ReferenceEmbedder()


def variants(photo: Pixels) -> Iterator[Pixels]:
    """A photo, mirrored, darkened, and cut so that a face leaves it."""
    yield photo
    yield np.ascontiguousarray(photo[:, ::-1])
    yield photo // 2
    yield np.ascontiguousarray(photo[60:, :330])


def test_the_fast_embedder_agrees_with_the_reference(
    fast: FaceEmbedder, reference: FaceEmbedder, portraits: list[Pixels]
) -> None:
    photos = [variant for portrait in portraits for variant in variants(portrait)]
    faces = 0
    for photo in photos:
        ours, theirs = (find_faces(embedder, photo, FacesPolicy.ALL) for embedder in (fast, reference))
        assert [(face.box, face.score) for face in ours.faces] == [(face.box, face.score) for face in theirs.faces]
        for our, their in zip(ours.faces, theirs.faces, strict=True):
            np.testing.assert_allclose(our.embedding, their.embedding, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(our.chip, their.chip)
        faces += ours.faces_found
    assert faces >= len(photos)


@pytest.mark.long
def test_the_reference_is_the_package(reference: FaceEmbedder, portraits: list[Pixels]) -> None:
    both = np.concatenate([portrait[:500, :500] for portrait in portraits], axis=1)
    for photo in [*portraits, np.ascontiguousarray(portraits[0][60:, :330]), both]:
        found = find_faces(reference, photo, FacesPolicy.ALL).faces
        encodings = face_recognition.face_encodings(photo)
        np.testing.assert_array_equal([face.embedding for face in found], np.array(encodings, np.float32))
        assert [face.box for face in found] == face_recognition.face_locations(photo)
        _, scores, _ = face_recognition.api.face_detector.run(photo, 1)
        assert [face.score for face in found] == [round(score, 2) for score in scores]
    assert len(found) == 2


def test_the_chip_is_the_networks_input(fast: DlibEmbedder, reference: FaceEmbedder, portraits: list[Pixels]) -> None:
    """Each network gives for the chip alone the face's embedding, to the bit."""
    for photo in portraits:
        (ours,), (theirs,) = (find_faces(embedder, photo, FacesPolicy.FIRST).faces for embedder in (fast, reference))
        assert (ours.chip.shape, ours.chip.dtype) == (SHAPE, np.uint8)
        np.testing.assert_array_equal(fast.embed([ours.chip])[0], ours.embedding)
        encoding = np.array(face_recognition.api.face_encoder.compute_face_descriptor(theirs.chip))
        np.testing.assert_array_equal(encoding.astype(np.float32), theirs.embedding)


def test_an_embedding_depends_on_its_photo_alone(fast: FaceEmbedder, portraits: list[Pixels]) -> None:
    """Neither on what came before, nor on the object, nor on what other threads do."""

    def embeddings(embedder: FaceEmbedder, photos: list[Pixels]) -> dict[int, bytes]:
        return {
            id(photo): find_faces(embedder, photo, FacesPolicy.FIRST).faces[0].embedding.tobytes() for photo in photos
        }

    expected = embeddings(fast, portraits)
    assert embeddings(fast, portraits[::-1]) == expected
    with ThreadPoolExecutor(4) as threads:
        for answer in threads.map(lambda _: embeddings(DlibEmbedder(), portraits * 3), range(4)):
            assert answer == expected


@pytest.mark.parametrize(
    ("name", "counts"),
    [("fast", (0, 2, 3, 5, 8, 15, 16, 19)), ("reference", (0, 2, 3))],  # the reference takes 60 ms a chip
)
def test_an_embedding_does_not_depend_on_its_neighbours(
    name: str, counts: tuple[int, ...], request: pytest.FixtureRequest
) -> None:
    embedder: FaceEmbedder = request.getfixturevalue(name)
    chips = np.random.default_rng(0).integers(0, 256, (max(counts), *SHAPE), dtype=np.uint8)
    alone = np.concatenate([embedder.embed([chip]) for chip in chips])
    for count in counts:
        np.testing.assert_array_equal(embedder.embed(list(chips[:count])), alone[:count])
    np.testing.assert_array_equal(embedder.embed(list(chips[::-1])), alone[::-1])


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (80, 2, 3), (79, 79, 3)])
def test_photos_too_small_for_a_face_have_none(fast: FaceEmbedder, shape: tuple[int, ...]) -> None:
    assert fast.find(np.zeros(shape, np.uint8)) == []


def found(*boxes: Box, score: float = 1.0) -> list[tuple[Box, float]]:
    return [(box, score) for box in boxes]


def test_the_largest_of_equals_is_the_first() -> None:
    largest = FaceRules(FacesPolicy.LARGEST)
    assert choose(found(Box(0, 9, 9, 0), Box(0, 20, 20, 10), Box(5, 14, 14, 5)), largest)[0] == [1]
    assert choose(found(Box(0, 9, 9, 0), Box(5, 14, 14, 5)), largest)[0] == [0]


@pytest.mark.parametrize("policy", FacesPolicy)
def test_without_faces_none_is_chosen(policy: FacesPolicy) -> None:
    assert choose([], FaceRules(policy)) == ([], LeftOut())


def test_policy_single_takes_the_only_face() -> None:
    assert choose(found(Box(0, 9, 9, 0)), FaceRules(FacesPolicy.SINGLE))[0] == [0]


sides = st.integers(0, 50)
some_faces = st.lists(st.tuples(st.builds(Box, st.just(0), sides, sides, st.just(0)), st.integers(0, 300)), max_size=6)


@given(some_faces, sides, st.integers(0, 300), st.sampled_from(FacesPolicy))
def test_the_policy_chooses_after_the_bounds(
    faces: list[tuple[Box, int]], min_face: int, hundredths: int, policy: FacesPolicy
) -> None:
    """As if the detector had never found the others; and every face is chosen or left out for one reason."""
    scored = [(box, score / 100) for box, score in faces]
    rules = FaceRules(policy, min_face, hundredths / 100)
    chosen, left_out = choose(scored, rules)
    within = [
        i for i, (box, score) in enumerate(faces) if min(box.right, box.bottom) >= min_face and score >= hundredths
    ]
    remaining = [within[i] for i in choose([scored[i] for i in within], FaceRules(policy))[0]]
    assert chosen == remaining
    assert sum(left_out) == len(faces) - len(within)
    assert left_out.min_face == sum(min(box.right, box.bottom) < min_face for box, _ in faces)
