"""The law of `test_boxes`, however often a photo is doubled: the boxes are dlib's and face_recognition's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import face_recognition
import numpy as np
import pytest
from PIL import Image

from meanface.dataset import SAMPLE
from meanface.embedder.decode import Pixels
from meanface.embedder.detector import DlibDetector, open_detector, usable_kernels
from meanface.embedder.detector.dlib import Found
from meanface.embedder.kernels import KernelChoice

BEST = (usable_kernels() or ["avx2"])[0]
LOWERED = -1.5
OTHERS = [0, 2, 3]
PHOTOS = sorted(SAMPLE.glob("*/*"))


@cache
def dlibs(upsample: int) -> DlibDetector:
    return DlibDetector(upsample)


@pytest.fixture(scope="module", params=OTHERS)
def upsample(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(
    scope="module",
    params=[BEST, *(pytest.param(kernels, marks=pytest.mark.long) for kernels in usable_kernels() if kernels != BEST)],
)
def native(request: pytest.FixtureRequest, upsample: int, open_native: Callable[..., Any]) -> Any:
    """Each native detector in turn."""
    return open_native(request.param, upsample=upsample)


def corners(found: list[Found]) -> list[tuple[int, int, int, int]]:
    return [(each.left(), each.top(), each.right(), each.bottom()) for each, _ in found]


def agree(native: Any, upsample: int, photo: Pixels) -> int:
    """Compare faces; and at a lower threshold all detections, with filters and scores. Returns their number."""
    faces, expected = native.find(photo), dlibs(upsample).find(photo)
    assert corners(faces) == corners(expected)
    assert [face.score for face in faces] == [face.score for face in expected]
    found, certain = native.examine(photo, LOWERED)
    rectangles, scores, filters = dlibs(upsample)._detect.run(np.array(photo, order="C"), upsample, LOWERED)
    boxes = corners([Found(box, 0.0) for box in rectangles])
    ours = {(*face[:4], face[6]): face[4] for face in found}
    theirs = {(*box, index): score for box, index, score in zip(boxes, filters, scores, strict=True)}
    if certain:  # otherwise either of two detections may stay: the others are compared all the same
        assert list(ours) == list(theirs)
    both = ours.keys() & theirs.keys()
    np.testing.assert_allclose([ours[each] for each in both], [theirs[each] for each in both], rtol=0, atol=1e-5)
    return len(both)


def shrunk(path: Any, upsample: int) -> Pixels:
    """A photo whose faces are of a size that only so many doublings find; 3 doublings of a whole one take seconds."""
    photo = Image.open(path).convert("RGB")
    return np.asarray(photo.resize((max(1, photo.width >> upsample // 2), max(1, photo.height >> upsample // 2))))


@pytest.mark.parametrize(
    "path",
    [*PHOTOS[:2], *(pytest.param(path, marks=pytest.mark.long) for path in PHOTOS[2:])],
    ids=lambda path: path.stem,
)
def test_real_photos(native: Any, upsample: int, path: Any) -> None:
    assert agree(native, upsample, shrunk(path, upsample)) >= 1


@pytest.mark.long
@pytest.mark.parametrize("number", [0, 1, *(pytest.param(number, marks=pytest.mark.long) for number in range(2, 8))])
def test_sizes(native: Any, upsample: int, number: int, resized: Callable[..., Pixels]) -> None:
    photo = resized(number, 700 >> upsample // 2)
    agree(native, upsample, photo)
    agree(native, upsample, photo[:, :, ::-1])  # not contiguous, and other colours


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (3, 200), (10, 11), (20, 20), (41, 90), (81, 80)])
def test_narrow_and_tiny_photos(native: Any, upsample: int, size: tuple[int, int]) -> None:
    agree(native, upsample, np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8))
    agree(native, upsample, np.full((*size, 3), (90, 120, 33), np.uint8))


def test_detections_are_among_what_is_compared(native: Any, upsample: int, portraits: list[Pixels]) -> None:
    part = 60 << 2 - min(upsample, 2)
    photos = [np.ascontiguousarray(photo[60 : 60 + 2 * part, 100 : 100 + 2 * part]) for photo in portraits]
    assert sum(agree(native, upsample, photo) for photo in photos) >= 5


def test_few_photos_are_passed_to_dlib(open_native: Callable[..., Any], upsample: int) -> None:
    """What dlib answers proves nothing about a detector that only passes photos on."""
    fresh = open_native(BEST, upsample=upsample)
    assert sum(len(fresh.find(shrunk(path, upsample))) for path in PHOTOS) >= 5
    assert fresh.handed_over <= 1


def test_all_kernels_give_the_same_bits(
    open_native: Callable[..., Any], upsample: int, resized: Callable[..., Pixels]
) -> None:
    natives = [open_native(kernels, upsample=upsample) for kernels in usable_kernels()]
    for number in range(40, 46):
        found = [native.examine(resized(number, 500 >> upsample // 2), LOWERED) for native in natives]
        assert all(each == found[0] for each in found)


@pytest.mark.parametrize("choice", [KernelChoice.AUTO, KernelChoice.DLIB])
@pytest.mark.parametrize(
    "upsample", [0, 1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)]
)
def test_they_are_face_recognitions(choice: KernelChoice, upsample: int, portraits: list[Pixels]) -> None:
    """`face_locations` cuts boxes at the photo's edges; these faces lie within."""
    detector = open_detector(choice, upsample=upsample)
    for photo in portraits:
        part = np.ascontiguousarray(photo[:400, 50:450]) if upsample == 3 else photo
        theirs = face_recognition.face_locations(part, upsample)
        ours = [(box.top(), box.right(), box.bottom(), box.left()) for box, _ in detector.find(part)]
        assert ours == theirs


@pytest.mark.parametrize(("upsample", "largest"), [(0, 2**15), (2, 2**14), (3, 2**13)])
def test_a_huge_side_is_passed_to_dlib_before_the_last_doubling_makes_it_too_long(
    open_native: Callable[..., Any], upsample: int, largest: int
) -> None:
    detector = open_native(BEST, upsample=upsample)
    assert detector.find(np.zeros((1, largest, 3), np.uint8)) == []
    assert detector.handed_over == 0
    assert detector.find(np.zeros((1, largest + 1, 3), np.uint8)) == []
    assert detector.handed_over == 1


@pytest.mark.parametrize("doublings", [-1, 4])
def test_other_numbers_are_refused(open_native: Callable[..., Any], doublings: int) -> None:
    with pytest.raises(ValueError, match="0 to 3"):
        open_native(BEST, upsample=doublings)
