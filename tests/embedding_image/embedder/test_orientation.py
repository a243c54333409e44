"""Photos are set upright by the tag 0x112, whatever else is in the EXIF block."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from meanface.embedder.decode import decode
from meanface.embedder.orientation import as_stored
from meanface.settings import Settings

UPRIGHT, AS_FILED = Settings(dataset="any"), Settings(dataset="any", exif_orientation=False)
GRADIENT = np.mgrid[0:40, 0:64].sum(axis=0)
PICTURE = Image.fromarray(np.stack([GRADIENT * step % 256 for step in (1, 2, 3)], axis=-1).astype(np.uint8))
FORMATS = {"JPEG": {"quality": 95}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}
ORIENTATION = 0x112

Entry = tuple[int, int, int, bytes]
"""tag, type, count, four bytes of value or offset"""


def exif(*entries: Entry, order: str = "<") -> bytes:
    """An EXIF block of one directory."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    rows = [struct.pack(f"{order}HHI", tag, kind, count) + value for tag, kind, count, value in entries]
    return mark + struct.pack(f"{order}IH", 8, len(rows)) + b"".join(rows) + bytes(4)


def orientation(value: int, order: str = "<") -> Entry:
    return ORIENTATION, 3, 1, struct.pack(f"{order}HH", value, 0)


def encoded(kind: str, block: bytes, image: Image.Image = PICTURE) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, exif=b"Exif\0\0" + block, **FORMATS[kind])
    return output.getvalue()


def tiff(value: int, image: Image.Image = PICTURE) -> bytes:
    output = io.BytesIO()
    image.save(output, "TIFF", tiffinfo={ORIENTATION: value})
    return output.getvalue()


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation_is_undone_unless_it_is_off(kind: str, value: int) -> None:
    data = encoded(kind, exif(orientation(value)))
    image = Image.open(io.BytesIO(data))
    upright, as_filed = decode(data, UPRIGHT), decode(data, AS_FILED)
    np.testing.assert_array_equal(upright.pixels, np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
    np.testing.assert_array_equal(as_filed.pixels, np.asarray(image.convert("RGB")))
    assert upright.orientation == as_filed.orientation == value
    assert upright.pixels.flags.c_contiguous


@pytest.mark.parametrize("value", range(1, 9))
def test_a_tiff_is_turned_once_as_pillow_does(value: int) -> None:
    """Also with the setting off: so does `face_recognition.load_image_file`."""
    data = tiff(value)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    for settings in (UPRIGHT, AS_FILED):
        photo = decode(data, settings)
        assert photo.orientation == value
        np.testing.assert_array_equal(photo.pixels, expected)
    whole = np.asarray(PICTURE)
    np.testing.assert_array_equal(as_stored(expected, value), whole)


@pytest.mark.parametrize("max_side", [48, 31])
@pytest.mark.parametrize("value", range(1, 9))
def test_scaled_down_it_is_turned_all_the_same(value: int, max_side: int) -> None:
    """31 has a JPEG decoded at half its size."""
    data = encoded("JPEG", exif(orientation(value)))
    upright = decode(data, UPRIGHT.model_copy(update={"max_side": max_side})).pixels
    as_filed = decode(data, AS_FILED.model_copy(update={"max_side": max_side})).pixels
    np.testing.assert_array_equal(as_stored(upright, value), as_filed)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 8))
def test_a_view_of_upright_pixels_has_all_of_them(rows: int, columns: int, value: int) -> None:
    pixels: NDArray[np.uint8] = np.arange(rows * columns * 3, dtype=np.uint8).reshape(rows, columns, 3)
    view = as_stored(pixels, value)
    assert np.shares_memory(view, pixels)
    assert sorted(view.ravel()) == sorted(pixels.ravel())
    assert view.shape[:2] == ((rows, columns) if value < 5 else (columns, rows))


def test_a_block_of_either_byte_order_is_read() -> None:
    for order in "<>":
        assert decode(encoded("JPEG", exif(orientation(6, order), order=order)), UPRIGHT).orientation == 6


@pytest.mark.parametrize(
    "entry",
    [
        orientation(0),
        orientation(9),
        orientation(65535),
        (ORIENTATION, 2, 2, b"6\0\0\0"),
        (ORIENTATION, 3, 2, b"\6\0\6\0"),
        (ORIENTATION, 5, 1, b"\x08\0\0\0"),
        (ORIENTATION, 99, 1, b"\6\0\0\0"),
        (ORIENTATION, 9, 1, b"\xfa\xff\xff\xff"),
    ],
    ids=["0", "9", "65535", "text", "two numbers", "fraction", "no type", "negative"],
)
def test_a_value_that_the_standard_does_not_have_counts_as_upright(entry: Entry) -> None:
    photo = decode(encoded("JPEG", exif(entry)), UPRIGHT)
    assert photo.orientation == 1
    assert photo.pixels.shape == (40, 64, 3)


ODD: dict[str, Entry] = {
    "text beyond the block": (0x10F, 2, 4000, b"\xff\xff\xff\x7f"),
    "no such type": (0x110, 77, 1, bytes(4)),
    "fraction of nothing": (0x11A, 5, 1, b"\xf0\xff\xff\xff"),
    "resolution without unit": (0x128, 3, 1, b"\xff\xff\0\0"),
    "directory that is not there": (0x8769, 4, 1, b"\xee\xee\xee\xee"),
    "directory in itself": (0x8769, 4, 1, b"\x08\0\0\0"),
    "GPS without end": (0x8825, 4, 1, b"\x0a\0\0\0"),
    "thousands of millions of numbers": (0x111, 4, 0xFFFFFFFF, bytes(4)),
}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_an_odd_tag_beside_it_does_no_harm(kind: str, odd: Entry, before: bool) -> None:
    entries = [odd, orientation(6)] if before else [orientation(6), odd]
    photo = decode(encoded(kind, exif(*entries)), UPRIGHT)
    assert photo.orientation == 6
    assert photo.pixels.shape == (64, 40, 3)


@pytest.mark.parametrize("length", range(0, 27, 2))
def test_a_block_that_ends_early_is_no_reason_to_refuse_a_photo(length: int) -> None:
    block = exif(orientation(6))
    photo = decode(encoded("JPEG", block[:length]), UPRIGHT)
    assert photo.orientation == (6 if length >= 20 else 1)


@given(st.binary(max_size=60), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_any_block_is_read_or_passed_over(block: bytes, head: bytes) -> None:
    photo = decode(encoded("JPEG", head + block), UPRIGHT)
    assert photo.orientation in range(1, 9)


def test_the_hexadecimal_block_of_a_png_by_imagemagick_is_read() -> None:
    from PIL.PngImagePlugin import PngInfo

    block = b"Exif\0\0" + exif(orientation(8))
    info, output = PngInfo(), io.BytesIO()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    PICTURE.save(output, "PNG", pnginfo=info)
    assert decode(output.getvalue(), UPRIGHT).orientation == 8
