"""The law: whatever the photo, the boxes are dlib's, in dlib's order, on every path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from laws import examples
from meanface.dataset import SAMPLE
from meanface.embedder.decode import Pixels
from meanface.embedder.detector import Detector, DlibDetector, usable_kernels

FACELESS = [Path(skimage.data_dir) / name for name in ("camera.png", "coffee.png", "rocket.jpg")]
PHOTOS = [*sorted(SAMPLE.glob("*/*")), *FACELESS]

LOWERED = -2.0
"""A threshold at which dlib finds some thirty faces in a portrait; few of them are any."""


def sample(name: str) -> Pixels:
    (path,) = SAMPLE.glob(f"*/{name}")
    return np.asarray(Image.open(path).convert("RGB"))


def agree(native, dlib: DlibDetector, photo: Pixels) -> tuple[int, int]:
    """Compare boxes and scores as a run has them; at a lower threshold also filters, and scores within 1e-5.

    Returns how many detections were compared there, and of how many.

    There two scores can be so near to each other that either may stay: the others are compared all the same.
    """

    def corners(found) -> list[tuple[int, int, int, int]]:
        return [(each.left(), each.top(), each.right(), each.bottom()) for each in found]

    ours, theirs = native.find(photo), dlib.find(photo)
    assert corners(face.rectangle for face in ours) == corners(face.rectangle for face in theirs)
    assert [face.score for face in ours] == [face.score for face in theirs]
    found, certain = native.examine(photo, LOWERED)
    rectangles, scores, filters = dlib._detect.run(np.array(photo, order="C"), 1, LOWERED)
    ours = {(*face[:4], face[6]): face[4] for face in found}
    theirs = {(*box, index): score for box, index, score in zip(corners(rectangles), filters, scores, strict=True)}
    if certain:
        assert list(ours) == list(theirs)
    both = ours.keys() & theirs.keys()
    np.testing.assert_allclose([ours[each] for each in both], [theirs[each] for each in both], rtol=0, atol=1e-5)
    return len(both), max(len(ours), len(theirs))


def agree_on_many(native, dlib: DlibDetector, photo: Pixels) -> None:
    """Compare as above; nine of ten detections at least, and not none."""
    compared, total = agree(native, dlib, photo)
    assert compared >= max(1, 0.9 * total)


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_real_photos(native_detector, dlib_detector: DlibDetector, path) -> None:
    agree_on_many(native_detector, dlib_detector, np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("number", [*range(8), *(pytest.param(n, marks=pytest.mark.long) for n in range(8, 24))])
def test_sizes(native_detector, dlib_detector: DlibDetector, resized: Callable[..., Pixels], number: int) -> None:
    photo = resized(number)
    agree(native_detector, dlib_detector, photo)
    agree(native_detector, dlib_detector, photo[:, :, ::-1])  # not contiguous, and other colours


@pytest.mark.long
@pytest.mark.parametrize("number", range(200, 205))  # more of them: tests/lfw
def test_sizes_up_to_two_thousand_pixels(
    native_detector, dlib_detector: DlibDetector, resized: Callable[..., Pixels], number: int
) -> None:
    agree_on_many(native_detector, dlib_detector, resized(number, 2000))


def test_faces_are_among_what_is_compared(
    native_detector, dlib_detector: DlibDetector, resized: Callable[..., Pixels]
) -> None:
    answers = [agree(native_detector, dlib_detector, resized(number)) for number in range(24, 30)]
    compared, total = (sum(column) for column in zip(*answers, strict=True))
    assert compared >= max(200, 0.9 * total)


@pytest.mark.long
def test_few_photos_are_passed_to_dlib(
    native_detector, open_native, resized: Callable[..., Pixels], montage: Callable[[int], Pixels]
) -> None:
    """What dlib answers proves nothing about a detector that only passes photos on."""
    fresh = open_native(native_detector.name.removeprefix("native-"))
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in PHOTOS]
    photos += [resized(number) for number in range(60)] + [resized(number, 2000) for number in range(200, 212)]
    photos += [montage(number) for number in range(20)]
    assert sum(len(fresh.find(photo)) for photo in photos) >= 50
    assert fresh.handed_over <= 2


SMALL = [
    (1, 1),
    (1, 700),
    (700, 1),
    (1, 2000),
    (2000, 1),
    (2, 3),
    (3, 300),
    (20, 20),
    (29, 31),
    (32, 32),
    (39, 41),
    (40, 40),
    (41, 90),
]


@pytest.mark.parametrize("size", SMALL)
@pytest.mark.parametrize("kind", ["noise", "flat", "white", "black"])
def test_narrow_tiny_and_empty_photos(
    native_detector, dlib_detector: DlibDetector, size: tuple[int, int], kind: str
) -> None:
    values = {
        "noise": np.random.default_rng(5).integers(0, 256, (*size, 3)),
        "flat": np.full((*size, 3), (90, 120, 33)),
        "white": np.full((*size, 3), 255),
        "black": np.zeros((*size, 3)),
    }
    agree(native_detector, dlib_detector, values[kind].astype(np.uint8))


@pytest.mark.parametrize("kind", ["noise", "grey noise", "coarse noise", "saturated", "grey", "flat"])
def test_other_pictures(native_detector, dlib_detector: DlibDetector, portraits: list[Pixels], kind: str) -> None:
    random = np.random.default_rng(7)
    grey = portraits[0].mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    pictures = {
        "noise": random.integers(0, 256, (301, 287, 3), np.uint8),
        "grey noise": random.integers(0, 256, (200, 331, 1), np.uint8).repeat(3, axis=2),
        "coarse noise": random.integers(0, 256, (50, 41, 3), np.uint8).repeat(7, axis=0).repeat(7, axis=1),
        "saturated": np.where(portraits[0] > 110, 255, 0).astype(np.uint8),
        "grey": grey,
        "flat": np.full((333, 222, 3), 128, np.uint8),
    }
    agree(native_detector, dlib_detector, pictures[kind])


@pytest.mark.long
@pytest.mark.parametrize("number", range(6))
def test_montages(native_detector, dlib_detector: DlibDetector, montage: Callable[[int], Pixels], number: int) -> None:
    agree_on_many(native_detector, dlib_detector, montage(number))


@pytest.mark.long
def test_a_photo_of_a_phone(
    native_detector, dlib_detector: DlibDetector, portraits: list[Pixels], boxes: Callable[[Detector, Pixels], list]
) -> None:
    photo = np.asarray(Image.fromarray(portraits[1]).resize((3000, 2250), Image.Resampling.BICUBIC))
    found = boxes(native_detector, photo)
    assert found
    assert found == boxes(dlib_detector, photo)


@st.composite
def pictures(draw: st.DrawFn) -> Pixels:
    """Noise in blocks of some size, range of values and number of channels; with a part of a face, or without."""
    rows, columns, block = draw(st.integers(1, 160)), draw(st.integers(1, 160)), draw(st.integers(1, 24))
    low, high = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels = draw(st.sampled_from([1, 3]))
    noise = random.integers(low, high, (rows // block + 1, columns // block + 1, channels), np.uint8, endpoint=True)
    picture = np.broadcast_to(noise.repeat(block, axis=0).repeat(block, axis=1)[:rows, :columns], (rows, columns, 3))
    if draw(st.booleans()):
        size = draw(st.integers(30, 150))
        face = Image.fromarray(sample("astronaut.jpg")).crop((120, 20, 270, 190)).resize((size, size))
        picture = picture.copy()
        pasted = np.asarray(face)[:rows, :columns]
        picture[: pasted.shape[0], : pasted.shape[1]] = pasted
    return picture


@settings(max_examples=examples(60), deadline=None)
@given(photo=pictures())
def test_invented_pictures(photo: Pixels, native_detector, dlib_detector: DlibDetector) -> None:
    agree(native_detector, dlib_detector, photo)


def test_all_paths_give_the_same_bits(oracle, open_native, resized: Callable[..., Pixels]) -> None:
    """Scores included; the coarse scan loses none of the detections of an exhaustive one."""
    natives = [open_native(kernels) for kernels in usable_kernels()]
    count = 0
    for number in range(40, 60):
        photo = resized(number)
        expected, _ = oracle.examine(photo, LOWERED)
        for native in natives:
            assert native.examine(photo, LOWERED)[0] == expected
        count += len(expected)
    assert count >= 50


def test_earlier_photos_do_not_matter(open_native, resized: Callable[..., Pixels]) -> None:
    used = open_native((usable_kernels() or ["avx2"])[0])
    for number in [*range(60, 66), *range(65, 59, -1)]:
        photo = resized(number)
        fresh = open_native(used.name.removeprefix("native-"))
        assert used.examine(photo, LOWERED) == fresh.examine(photo, LOWERED)
