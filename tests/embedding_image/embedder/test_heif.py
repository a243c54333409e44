"""HEIC and AVIF photos: complete, turned exactly once, in a process that can start no threads."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pi_heif
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from heic import LOSSLESS, ORIENTATION, declared, exif, heic, heic_deep, heic_grid
from meanface.embedder import recipe
from meanface.embedder.decode import PhotoRefused, decode
from meanface.embedder.heif_items import missing_part
from meanface.embedder.orientation import as_stored
from meanface.outcome import Outcome
from meanface.photo_settings import EmbedderName
from meanface.settings import Settings

UPRIGHT, AS_FILED = Settings(dataset="any"), Settings(dataset="any", exif_orientation=False)
GRADIENT = np.mgrid[0:64, 0:128].sum(axis=0)
PIXELS = np.stack([GRADIENT * step % 256 for step in (1, 2, 3)], axis=-1).astype(np.uint8)
PICTURE = Image.fromarray(PIXELS)
ROUNDING = 1
"""of the colours' conversion, which is not exact without loss either"""


def avif(image: Image.Image = PICTURE, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "AVIF", **options)
    return file.getvalue()


def refusal(data: bytes, settings: Settings = UPRIGHT) -> PhotoRefused:
    with pytest.raises(PhotoRefused) as refused:
        decode(data, settings)
    return refused.value


def equal(pixels: NDArray[np.uint8], expected: NDArray[np.uint8]) -> bool:
    return pixels.shape == expected.shape and np.abs(pixels.astype(int) - expected).max() <= ROUNDING


FILES = {"HEIC": heic(PICTURE, **LOSSLESS), "HEIC, tiles": heic_grid(PICTURE, 32), "AVIF": avif()}


@pytest.mark.parametrize("value", range(1, 9))
def test_a_heic_photo_is_turned_once_as_its_container_says(value: int) -> None:
    """Also with the setting off, and whatever its EXIF block says; libheif does it."""
    data = heic(PICTURE, exif=exif(value), **LOSSLESS)
    at = data.index(ORIENTATION) + len(ORIENTATION)
    for other in (value, 1, 6, 3):
        changed = data[:at] + bytes([other]) + data[at + 1 :]
        for settings in (UPRIGHT, AS_FILED):
            photo = decode(changed, settings)
            assert photo.orientation == 1
            assert equal(as_stored(photo.pixels, value), PIXELS)


@pytest.mark.parametrize("value", range(1, 9))
def test_a_heic_photo_in_tiles_is_turned_once(value: int) -> None:
    whole = decode(heic_grid(PICTURE, 32), UPRIGHT).pixels
    for settings in (UPRIGHT, AS_FILED):
        np.testing.assert_array_equal(as_stored(decode(heic_grid(PICTURE, 32, value), settings).pixels, value), whole)


@pytest.mark.parametrize("value", range(1, 9))
def test_an_avif_photo_is_turned_once_unless_it_is_off(value: int) -> None:
    data = avif(exif=exif(value))
    image = Image.open(io.BytesIO(data))
    upright, as_filed = decode(data, UPRIGHT), decode(data, AS_FILED)
    np.testing.assert_array_equal(upright.pixels, np.asarray(ImageOps.exif_transpose(image)))
    np.testing.assert_array_equal(as_filed.pixels, np.asarray(image))
    assert upright.orientation == as_filed.orientation == value


@pytest.mark.parametrize("value", [1, 6])
def test_a_scaled_heic_photo_is_turned_all_the_same(value: int) -> None:
    data = heic(PICTURE, exif=exif(value), **LOSSLESS)
    pixels = decode(data, UPRIGHT.model_copy(update={"max_side": 64})).pixels
    assert pixels.shape == ((32, 64, 3) if value == 1 else (64, 32, 3))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_pixels_are_those_of_the_library(mode: str) -> None:
    data = heic(PICTURE.convert(mode))
    expected = pi_heif.open_heif(data).to_pillow().convert("RGB")
    np.testing.assert_array_equal(decode(data, UPRIGHT).pixels, np.asarray(expected))
    data = avif(PICTURE.convert(mode))
    np.testing.assert_array_equal(decode(data, UPRIGHT).pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("bits", [10, 12])
def test_10_and_12_bits_are_read_by_their_upper_eight(bits: int) -> None:
    data = heic_deep(PICTURE, bits)
    assert pi_heif.open_heif(data).info["bit_depth"] == bits
    assert equal(decode(data, UPRIGHT).pixels, PIXELS)
    grey = heic(Image.fromarray(GRADIENT.astype(np.uint16) * 257), **LOSSLESS)
    assert equal(decode(grey, UPRIGHT).pixels, np.repeat(GRADIENT.astype(np.uint8)[..., None], 3, axis=2))


def test_the_primary_picture_is_read_and_the_first_of_a_sequence() -> None:
    other = Image.new("RGB", (16, 16))
    assert equal(decode(heic(other, PICTURE, primary_index=1, **LOSSLESS), UPRIGHT).pixels, PIXELS)
    sequence = avif(save_all=True, append_images=[Image.new("RGB", PICTURE.size)])
    assert sequence[8:12] == b"avis"
    pixels = decode(sequence, UPRIGHT).pixels
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(io.BytesIO(sequence)).convert("RGB")))
    assert np.abs(pixels.astype(int) - PIXELS).mean() < 10  # the other picture is black


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 1.0])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("kind", FILES)
def test_a_photo_without_all_of_its_picture_is_undecodable(kind: str, zeros: bool, kept: float) -> None:
    """libheif by itself leaves missing tiles grey, and libde265 decodes zeros."""
    data = FILES[kind]
    cut = min(int(len(data) * kept), len(data) - 20)
    refused = refusal(data[:cut] + bytes(len(data) - cut if zeros else 0))
    assert refused.outcome is Outcome.UNDECODABLE
    assert refused.detail


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (1, 2**32 - 1)])
@pytest.mark.parametrize("kind", FILES)
def test_a_bomb_is_refused_before_it_is_decoded(kind: str, size: tuple[int, int]) -> None:
    assert refusal(declared(FILES[kind], *size)).outcome in (Outcome.TOO_LARGE, Outcome.UNDECODABLE)


@pytest.mark.parametrize("kind", FILES)
def test_more_than_max_pixels_is_too_large(kind: str) -> None:
    refused = refusal(FILES[kind], Settings(dataset="any", max_pixels=128 * 64 - 1))
    assert refused.outcome is Outcome.TOO_LARGE
    assert refused.detail == "128 x 64 pixels, more than max_pixels=8,191"


@pytest.mark.parametrize("size", [(16, 16), (8000, 8000), (127, 64)])
def test_a_heic_photo_of_another_size_than_declared_is_undecodable(size: tuple[int, int]) -> None:
    assert refusal(declared(FILES["HEIC"], *size)).outcome is Outcome.UNDECODABLE


def test_a_damaged_exif_block_is_no_obstacle() -> None:
    for block in (b"Exif\0\0" + b"x" * 50, b"Exif\0\0II*\0\xff\xff\xff\x7f", b"x" * 100):
        assert equal(decode(heic(PICTURE, exif=block, **LOSSLESS), UPRIGHT).pixels, PIXELS)
    data = avif(exif=exif(6))
    for block in (b"XX*\0", b"II*\0\xff\xff\xff\x7f"):
        photo = decode(data.replace(b"II*\0\x08\0\0\0", (block + b"\x08\0\0\0")[:8]), UPRIGHT)
        assert (photo.orientation, photo.pixels.shape) == (6, (128, 64, 3))


CONFINED = """
import os, resource, sys, threading
import numpy
from meanface import system
from meanface.embedder import heif
from meanface.embedder.decode import decode
from meanface.settings import Settings

heif.decoders()
photos = sys.stdin.buffer.read().split(b"--next--")
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
system.confine(256 << 20, 256 << 20)
try:
    threading.Thread(target=print).start()
except RuntimeError as refused:
    print(refused)
for photo in photos:
    print(decode(photo, Settings(dataset="any")).pixels.shape)
"""


def test_no_decoder_needs_a_thread() -> None:
    """libde265 ends the process without one, and dav1d fails; limits of processes do not count for root."""
    told = subprocess.run(
        [sys.executable, "-c", CONFINED], input=b"--next--".join(FILES.values()), check=True, capture_output=True
    ).stdout.decode()
    assert told.splitlines() == ["can't start new thread", *["(64, 128, 3)"] * len(FILES)]


WITHOUT_NATIVE = """
import sys
sys.modules["meanface.embedder._native"] = None  # what an installation without a compiler comes to
from meanface.embedder import recipe
from meanface.embedder.decode import PhotoRefused, decode
from meanface.settings import Settings

heic, avif = sys.stdin.buffer.read().split(b"--next--")
print(decode(avif, Settings(dataset="any")).pixels.shape, recipe.heic_decoder())
try:
    decode(heic, Settings(dataset="any"))
except PhotoRefused as refused:
    print(refused.outcome.value, refused.detail)
"""


def test_without_native_code_heic_is_refused_with_the_reason_and_the_recipe_says_so() -> None:
    photos = FILES["HEIC"] + b"--next--" + FILES["AVIF"]
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_NATIVE], input=photos, check=True, capture_output=True
    ).stdout.decode()
    first, second = told.splitlines()
    assert first == "(64, 128, 3) none"
    assert second.startswith("undecodable a HEIC photo, which takes native code to read: convert it to JPEG")


def test_the_recipe_names_another_decoder_than_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "heic" not in recipe.identity(EmbedderName.DLIB)
    monkeypatch.setattr(recipe, "heic_decoder", lambda: "pi-heif 9.9.9")
    assert recipe.identity(EmbedderName.DLIB)["heic"] == "pi-heif 9.9.9"


def test_the_pinned_decoder_is_the_one_of_the_recipe() -> None:
    project = (Path(__file__).parents[3] / "embedding_image" / "pyproject.toml").read_text()
    assert f'"{recipe.HEIC_DECODER.replace(" ", "==")}"' in project
    assert os.fspath(pi_heif.__version__) == recipe.HEIC_DECODER.split()[1]


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


@pytest.mark.parametrize("sizes", [b"\0\0", b"\x40\0"], ids=["no bytes a place", "four bytes a place"])
def test_a_file_of_places_without_end_takes_no_time(sizes: bytes) -> None:
    """Each item declares 65,535 places."""
    items = b"".join(number.to_bytes(2, "big") + b"\0\0\xff\xff" for number in range(5000))
    primary = box(b"pitm", b"\0\0\0\0\0\1")
    meta = box(b"meta", bytes(4) + primary + box(b"iloc", bytes(4) + sizes + (5000).to_bytes(2, "big") + items))
    started = time.process_time()
    missing_part(box(b"ftyp", b"heicmif1") + meta + bytes(100_000))
    assert time.process_time() - started < 1
