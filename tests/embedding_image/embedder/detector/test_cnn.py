"""dlib's CNN detector in native code: dlib's boxes, and the same bits by all kernels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import cnn_reference
from meanface.dataset import SAMPLE
from meanface.embedder import dlib_models
from meanface.embedder.decode import PhotoRefused, Pixels
from meanface.embedder.detector.cnn import LARGEST, DlibCnnDetector, NativeCnnDetector
from meanface.embedder.detector.cnn_file import CnnWeights, cnn_weights
from meanface.embedder.detector.dlib import Found
from meanface.embedder.network import usable_kernels
from meanface.errors import DamagedRecord

pytestmark = pytest.mark.skipif(not usable_kernels(), reason="the native network is not there")
BEST = (usable_kernels() or ["avx2"])[0]

SCORES_SHA256 = "e0e5afec3cd51a8fb02ad4fb280102329a1eeb916a01d7202fed15a16d12f350"
"""of two photos' scores. Other bits are another recipe: with this value, raise `VERSION` in `cnn.py`."""

ERROR = 1e-5
"""of a score; dlib's own differ from float64 by as much"""


def corners(found: list[Found]) -> list[cnn_reference.Box]:
    return [(each.left(), each.top(), each.right(), each.bottom()) for each, _ in found]


@pytest.fixture(scope="module")
def weights() -> CnnWeights:
    return cnn_weights()


@pytest.fixture(scope="module", params=["avx512", "avx2", "neon"])
def kernels(request: pytest.FixtureRequest) -> str:
    """Each kind of kernels in turn."""
    if request.param not in usable_kernels():
        pytest.skip(f"this machine has no kernels for {request.param}")
    return str(request.param)


def scores(photo: Pixels, upsample: int = 1, kernels: str = BEST) -> NDArray[np.float32]:
    return NativeCnnDetector(kernels)._detector.scores(np.ascontiguousarray(photo), doublings=upsample)


def noise(rows: int, columns: int) -> Pixels:
    """Of its own for each size."""
    return np.random.default_rng(rows * 1000 + columns).integers(0, 256, (rows, columns, 3), np.uint8)


def test_the_file_has_dlibs_layers(weights: CnnWeights) -> None:
    shapes = [(layer.filters.shape, layer.stride, layer.padding) for layer in weights.layers]
    assert shapes[:3] == [((16, 3, 5, 5), 2, 0), ((32, 16, 5, 5), 2, 0), ((32, 32, 5, 5), 2, 0)]
    assert shapes[3:] == [((45, 32, 5, 5), 1, 2), ((45, 45, 5, 5), 1, 2), ((45, 45, 5, 5), 1, 2), ((1, 45, 9, 9), 1, 4)]
    np.testing.assert_array_equal(weights.mean, np.float32(dlib_models.MEAN_RGB))
    np.testing.assert_allclose(weights.limits, [0.338276, 1], atol=1e-6)


@pytest.mark.parametrize("path", sorted(SAMPLE.glob("*/*")), ids=lambda path: path.stem)
@pytest.mark.parametrize("upsample", [0, pytest.param(1, marks=pytest.mark.long)])
def test_the_boxes_and_scores_of_the_sample_are_dlibs(path: Path, upsample: int) -> None:
    photo = np.asarray(Image.open(path).convert("RGB"))[::2, ::2]  # dlib takes seconds for a larger one
    theirs, ours = DlibCnnDetector(upsample).find(photo), NativeCnnDetector(BEST, upsample).find(photo)
    assert corners(ours) == corners(theirs)
    assert [face.score for face in ours] == pytest.approx([face.score for face in theirs], abs=0.011)


@pytest.mark.long
def test_more_doublings_find_smaller_faces_where_dlib_does(portraits: list[Pixels]) -> None:
    portrait = Image.fromarray(portraits[0])
    photo = np.asarray(portrait.resize((portrait.width // 8, portrait.height // 8)))
    found = {times: corners(NativeCnnDetector(BEST, times).find(photo)) for times in range(4)}
    assert found == {times: corners(DlibCnnDetector(times).find(photo)) for times in range(4)}
    assert not found[0]
    assert found[3]


@pytest.mark.long
@pytest.mark.parametrize("number", range(300, 302))
def test_many_faces_are_found_where_dlib_finds_them(montage: Callable[[int], Pixels], number: int) -> None:
    photo = montage(number)[:400, :400]
    assert corners(NativeCnnDetector(BEST, 0).find(photo)) == corners(DlibCnnDetector(0).find(photo))


@pytest.mark.parametrize("upsample", [0, 1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("size", [(101, 57), (64, 200), (9, 300), (300, 11), (33, 33)])
def test_the_scores_are_those_of_float64(weights: CnnWeights, size: tuple[int, int], upsample: int) -> None:
    """At sizes whose rows end with other rests, and with fewer columns than are computed at once."""
    photo = noise(*size)
    expected = cnn_reference.scores(cnn_reference.tiled(cnn_reference.upsampled(photo, upsample), weights)[0], weights)
    np.testing.assert_allclose(scores(photo, upsample), expected, rtol=0, atol=ERROR)


def test_every_window_above_the_threshold_has_its_box(weights: CnnWeights, portraits: list[Pixels]) -> None:
    """The faces that stay are the first of the reference's windows, and others that overlap none of them."""
    photo = portraits[0][100:300, 100:300]
    windows = dict(reversed(cnn_reference.find(photo, weights)))
    faces = NativeCnnDetector(BEST)._detector.find(np.ascontiguousarray(photo), doublings=1)
    assert faces
    for *box, score in faces:
        assert windows[tuple(box)] == pytest.approx(score, abs=ERROR)
    assert faces[0][4] == pytest.approx(max(windows.values()), abs=ERROR)


def test_all_kernels_give_the_same_bits(kernels: str, portraits: list[Pixels]) -> None:
    photos = [portraits[1][:200, :190], noise(90, 77)]
    digest = hashlib.sha256(b"".join(scores(photo, kernels=kernels).tobytes() for photo in photos)).hexdigest()
    assert digest == SCORES_SHA256


@pytest.mark.parametrize("size", [(7, 9), (6, 10), (1, 1), (1, 300), (300, 1), (0, 5)])
def test_too_small_a_photo_has_no_face(size: tuple[int, int]) -> None:
    for detector in (NativeCnnDetector(BEST, 0), DlibCnnDetector(0)):
        assert detector.find(noise(*size)) == []


def test_too_large_a_photo_is_refused() -> None:
    with pytest.raises(PhotoRefused, match="more than 32,768 pixels: use detector=hog"):
        NativeCnnDetector(BEST).find(np.zeros((8, LARGEST + 1, 3), np.uint8))


@pytest.mark.parametrize("times", [-1, 4])
def test_other_numbers_of_doublings_are_refused(times: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to 3"):
        NativeCnnDetector(BEST, times).find(noise(30, 30))


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    damaged = bytearray(dlib_models.cnn_detector_path().read_bytes())
    damaged[100_000] ^= 1
    path = tmp_path / "detector.dat"
    path.write_bytes(damaged)
    with pytest.raises(DamagedRecord, match=r"detector\.dat, dlib's CNN face detector, has SHA-256 .* expected 4cb193"):
        NativeCnnDetector(BEST, path=path)


@pytest.mark.parametrize("more", [-1, 1])
def test_another_number_of_parameters_is_refused(weights: CnnWeights, more: int) -> None:
    from meanface.embedder import _native

    parameters = np.resize(weights.parameters(), 180_711 + more)
    with pytest.raises(ValueError, match=f"has {180_711 + more} parameters, expected 180711"):
        _native.CnnDetector(BEST, parameters=parameters, mean=weights.mean, overlap=(0.3, 1.0))


def test_one_detector_serves_several_threads() -> None:
    photos = [noise(60 + number, 90 - number) for number in range(8)]
    expected = [scores(photo).tobytes() for photo in photos]
    detector = NativeCnnDetector(BEST)._detector
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda photo: detector.scores(photo, doublings=1).tobytes(), photos)) == expected


def test_a_photo_in_other_strides_is_the_same_photo(portraits: list[Pixels]) -> None:
    photo, detector = portraits[0][:300, :300], NativeCnnDetector(BEST, 0)
    whole = np.zeros((300, 600, 3), np.uint8)
    whole[:, ::2] = photo
    assert corners(detector.find(whole[:, ::2])) == corners(detector.find(photo))
