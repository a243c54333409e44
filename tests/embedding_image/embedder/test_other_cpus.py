"""The same bits on other processors and by other compilers: 64-bit ARM by emulation, shorter registers, Clang."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from meanface.embedder.decode import Photo, Pixels
from meanface.embedder.detector import open_detector
from meanface.embedder.detector.cnn import NativeCnnDetector
from meanface.embedder.embedder import DlibEmbedder, detect_faces
from meanface.embedder.landmarks import DlibLandmarks
from meanface.embedder.network import NativeNetwork, usable_kernels
from meanface.embedder.orientation import UPRIGHT
from meanface.photo_settings import FaceRules
from other_cpus import MARGIN, TARGETS, TOLERANCE, Program, native_detector

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not usable_kernels(), reason="the native network is not there"),
]


@pytest.fixture(scope="module", params=TARGETS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program for each target in turn."""
    return TARGETS[request.param].program(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def chips(portraits: list[Pixels]) -> NDArray[np.uint8]:
    """Two faces, and noise."""
    embedder = DlibEmbedder()
    photos = [Photo(pixels, UPRIGHT) for pixels in portraits]
    faces = [chip for photo in photos for chip in detect_faces(embedder, photo, FaceRules()).chips.values()]
    noise = np.random.default_rng(9).integers(0, 256, (1, *faces[0].shape), np.uint8)
    return np.concatenate([np.stack(faces), noise])


def test_the_features_are_the_same(program: Program, portraits: list[Pixels]) -> None:
    here = native_detector().features(np.ascontiguousarray(portraits[0]))
    np.testing.assert_array_equal(program.features(portraits[0]), here)


@pytest.mark.parametrize("size", [(600, 512), (83, 301), (81, 80), (517, 79)])
def test_the_detector_finds_the_same_with_the_same_scores(
    program: Program, portraits: list[Pixels], size: tuple[int, int]
) -> None:
    """At odd sizes as well, and with lower thresholds, so that there are many windows."""
    rows, columns = size
    photo = np.tile(portraits[0], (2, 2, 1))[:rows, :columns].copy()
    faces, certain = native_detector().find(photo, adjust=-0.8, margin=MARGIN, tolerance=TOLERANCE)
    assert program.find(photo, adjust=-0.8) == ([tuple(face) for face in faces], certain)


@pytest.mark.parametrize("upsample", [0, 2, 3])
def test_it_does_however_often_a_photo_is_doubled(program: Program, portraits: list[Pixels], upsample: int) -> None:
    photo = portraits[0][: 420 >> upsample, 30 : 30 + (500 >> upsample)].copy()
    faces, certain = native_detector(upsample).find(photo, adjust=-1.5, margin=MARGIN, tolerance=TOLERANCE)
    assert faces
    assert program.find(photo, adjust=-1.5, upsample=upsample) == ([tuple(face) for face in faces], certain)


@pytest.mark.parametrize(("size", "doublings"), [((120, 97), 1), ((31, 83), 0), ((40, 20), 2)])
def test_the_scores_of_the_cnn_detector_are_the_same(
    program: Program, portraits: list[Pixels], size: tuple[int, int], doublings: int
) -> None:
    rows, columns = size
    photo = portraits[0][100 : 100 + rows, 150 : 150 + columns].copy()
    here = NativeCnnDetector(usable_kernels()[0])._detector.scores(photo, doublings=doublings)
    np.testing.assert_array_equal(program.cnn_scores(photo, doublings), here.ravel())


def test_the_landmarks_are_dlibs(program: Program, portraits: list[Pixels]) -> None:
    for photo in portraits:
        (face, *_) = open_detector().find(photo)
        expected = DlibLandmarks().find(photo, face.rectangle)
        assert program.landmarks(photo, face.rectangle) == [(point.x, point.y) for point in expected.parts()]


def test_the_embeddings_are_the_same(program: Program, chips: NDArray[np.uint8]) -> None:
    here = NativeNetwork(usable_kernels()[0]).embed(chips)
    np.testing.assert_array_equal(program.embed(chips), here)
