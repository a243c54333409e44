"""The law: whatever the photo and the box, the landmarks are dlib's."""

from __future__ import annotations

from collections.abc import Callable

import dlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laws import examples
from meanface.embedder import dlib_models
from meanface.embedder.decode import Pixels
from meanface.embedder.detector import Detector, usable_kernels
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.landmarks import DlibLandmarks, NativeLandmarks, open_landmarks
from meanface.errors import DamagedRecord

pytestmark = pytest.mark.skipif(not usable_kernels(), reason="the native detector is not there")

Points = list[tuple[int, int]]


@pytest.fixture(scope="module")
def dlib_landmarks() -> DlibLandmarks:
    return DlibLandmarks()


@pytest.fixture(scope="module")
def native_landmarks() -> NativeLandmarks:
    return NativeLandmarks()


def points(landmarks: DlibLandmarks | NativeLandmarks, photo: Pixels, box: dlib.rectangle) -> Points:
    found = landmarks.find(photo, box)
    assert found.rect == box
    return [(point.x, point.y) for point in found.parts()]


def test_of_faces(
    native_detector: Detector,
    dlib_landmarks: DlibLandmarks,
    native_landmarks: NativeLandmarks,
    portraits: list[Pixels],
    resized: Callable[[int], Pixels],
) -> None:
    faces = 0
    for photo in [*portraits, *(resized(number) for number in range(100, 160))]:
        for box, _ in native_detector.find(photo):
            faces += 1
            assert points(native_landmarks, photo, box) == points(dlib_landmarks, photo, box)
    assert faces >= 20
    assert native_landmarks.handed_over == 0


@st.composite
def boxes(draw: st.DrawFn) -> tuple[Pixels, dlib.rectangle]:
    """Noise or a flat picture, and any box in it or beyond."""
    rows, columns = draw(st.tuples(st.integers(1, 200), st.integers(1, 200)))
    low, high = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    left, top = draw(st.tuples(st.integers(-300, 300), st.integers(-300, 300)))
    width, height = draw(st.tuples(st.integers(0, 2000), st.integers(0, 2000)))
    photo = random.integers(low, high, (rows, columns, 3), np.uint8, endpoint=True)
    return photo, dlib.rectangle(left, top, left + width, top + height)


@settings(max_examples=examples(200), deadline=None)
@given(chosen=boxes())
def test_of_any_box(chosen: tuple, dlib_landmarks: DlibLandmarks, native_landmarks: NativeLandmarks) -> None:
    assert points(native_landmarks, *chosen) == points(dlib_landmarks, *chosen)


def test_few_boxes_are_passed_to_dlib(dlib_landmarks: DlibLandmarks) -> None:
    landmarks, random = NativeLandmarks(), np.random.default_rng(3)
    for _ in range(300):
        photo = random.integers(0, 256, (120, 120, 3), np.uint8)
        left, top, size = (int(number) for number in random.integers(10, 60, 3))
        box = dlib.rectangle(left, top, left + size, top + size)
        assert points(landmarks, photo, box) == points(dlib_landmarks, photo, box)
    assert landmarks.handed_over <= 1


def test_faces_that_last_bits_could_change_are_passed_to_dlib(
    portraits: list[Pixels], dlib_landmarks: DlibLandmarks
) -> None:
    doubtful, box = NativeLandmarks(tolerance=1e-3), dlib.rectangle(170, 70, 280, 180)
    assert points(doubtful, portraits[1], box) == points(dlib_landmarks, portraits[1], box)
    assert doubtful.handed_over == 1


@pytest.mark.parametrize(("columns", "right"), [(2**15 + 1, 90), (100, 2**16 + 1)])
def test_huge_boxes_are_passed_to_dlib(columns: int, right: int, dlib_landmarks: DlibLandmarks) -> None:
    landmarks, photo = NativeLandmarks(), np.full((2, columns, 3), 7, np.uint8)
    box = dlib.rectangle(1, 1, right, 90)
    assert points(landmarks, photo, box) == points(dlib_landmarks, photo, box)
    assert landmarks.handed_over == 1


def test_a_part_of_a_photo_need_not_be_copied(
    native_landmarks: NativeLandmarks, dlib_landmarks: DlibLandmarks, portraits: list[Pixels]
) -> None:
    part, box = portraits[1][10:400, 50:350, ::-1], dlib.rectangle(120, 60, 230, 170)
    assert points(native_landmarks, part, box) == points(dlib_landmarks, np.array(part, order="C"), box)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:0],
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"\x01\x01",
        lambda data: b"\x01\x02" + data[2:],
        lambda data: data[:100] + b"\xff" * 20 + data[120:],
        lambda data: data[:5_000_000] + b"\x0f" * 20 + data[5_000_020:],
    ],
    ids=["empty", "end", "half", "more", "version", "ones", "middle"],
)
def test_a_file_of_another_layout_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch, damage: Callable) -> None:
    (tmp_path / "file").write_bytes(damage(dlib_models.landmarks_path().read_bytes()))
    monkeypatch.setattr(dlib_models, "landmarks_path", lambda: tmp_path / "file")
    with pytest.raises(DamagedRecord, match="MEANFACE_KERNELS=dlib"):
        NativeLandmarks()


def test_every_damaged_byte_ends_in_a_predictor_or_a_refusal() -> None:
    """Sizes and places in the file are looked at before they are used."""
    from meanface.embedder import _native

    whole, random = dlib_models.landmarks_path().read_bytes(), np.random.default_rng(5)
    photo = np.full((50, 50, 3), 100, np.uint8)
    ends: set[str] = set()
    for _ in range(40):
        data = bytearray(whole)
        for place in random.integers(0, len(data), int(random.integers(1, 4))):
            data[place] = random.integers(0, 256)
        try:
            _native.Predictor(bytes(data)).find(photo, (5, 5, 45, 45), tolerance=1e-9)
            ends.add("predictor")
        except ValueError:
            ends.add("refusal")
    assert "refusal" in ends


@pytest.mark.parametrize("choice", ["auto", "native", "dlib", *usable_kernels()])
def test_they_go_with_the_detector(choice: str) -> None:
    expected = DlibLandmarks if choice == "dlib" else NativeLandmarks
    assert isinstance(open_landmarks(KernelChoice(choice)), expected)
