"""Photos with damage outside their pixels have the pixels of intact ones; photos that lack pixels are refused."""

from __future__ import annotations

import io
import re
import struct
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from meanface.embedder.decode import PhotoRefused, Pixels, decode
from meanface.embedder.photo_repair import repair_candidates
from meanface.outcome import Outcome
from meanface.settings import Settings

SETTINGS = Settings(dataset="sample")
NOISE = Random(1)
PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)).resize((101, 67))
VIDEO = b"\0\0\0\x18ftypmp42" + NOISE.randbytes(4000)


def encoded(kind: str, image: Image.Image = PICTURE, **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def pixels(data: bytes) -> Pixels:
    return decode(data, SETTINGS).pixels


def refused(data: bytes) -> bool:
    try:
        decode(data, SETTINGS)
    except PhotoRefused as refusal:
        return refusal.outcome is Outcome.UNDECODABLE
    return False


JPEGS = {
    "baseline": encoded("JPEG"),
    "4:4:4": encoded("JPEG", subsampling=0),
    "progressive": encoded("JPEG", progressive=True),
    "grey": encoded("JPEG", PICTURE.convert("L")),
    "CMYK": encoded("JPEG", PICTURE.convert("CMYK")),
    "restarts": encoded("JPEG", restart_marker_blocks=3),
    "progressive, restarts": encoded("JPEG", progressive=True, restart_marker_rows=1),
}
jpegs = pytest.mark.parametrize("data", JPEGS.values(), ids=JPEGS.keys())


@jpegs
@pytest.mark.parametrize(
    "behind", [b"", b"\xff", VIDEO, b"\0\0" + NOISE.randbytes(900)], ids=["nothing", "half", "video", "noise"]
)
def test_a_jpeg_without_its_end_marker_has_all_its_pixels(data: bytes, behind: bytes) -> None:
    assert data.endswith(b"\xff\xd9")
    np.testing.assert_array_equal(pixels(data[:-2] + behind), pixels(data))


@jpegs
def test_a_jpeg_that_lacks_pixels_is_refused_wherever_it_is_cut(data: bytes) -> None:
    """Also between two scans, and between two intervals of a scan."""
    places = [match.start() for match in re.finditer(rb"\xff[\xc0-\xdf]", data[:-2])]
    cuts = {len(data) - back for back in range(4, 30)} | {place + on for place in places for on in (0, 1, 2)}
    assert [cut for cut in cuts if not refused(data[:cut])] == []


@jpegs
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_jpeg_filled_up_with_zeros_is_refused(data: bytes, kept: float) -> None:
    """As a download leaves it whose space was taken beforehand. To libjpeg the zeros are pixels."""
    cut = int(len(data) * kept)
    assert refused(data[:cut] + bytes(len(data) - cut))
    np.testing.assert_array_equal(pixels(data + bytes(4096)), pixels(data))
    np.testing.assert_array_equal(pixels(data[:-2] + bytes(4096)), pixels(data))


@pytest.mark.parametrize("quality", [90, 98, 100])
def test_a_photo_filled_up_with_zeros_is_refused_although_a_decoder_accepts_it(quality: int) -> None:
    photo = Image.fromarray(np.random.default_rng(2).integers(0, 256, (300, 400, 3), np.uint8)).resize((600, 450))
    data = encoded("JPEG", photo, quality=quality)
    for cut in range(len(data) // 10, len(data) * 9 // 10, len(data) // 10):
        assert refused(data[:cut] + bytes(len(data) - cut)), cut


def large_text() -> bytes:
    info = PngInfo()
    info.add_text("Comment", "x" * 3_000_000, zip=True)
    return encoded("PNG", pnginfo=info)


def large_metadata() -> bytes:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "x" * 3_000_000, zip=True)
    return encoded("PNG", pnginfo=info)


def wrong_checksum(chunk: bytes = b"tEXt") -> bytes:
    info = PngInfo()
    info.add_text("Comment", "hello")
    data = encoded("PNG", pnginfo=info, exif=Image.Exif())
    at = data.index(chunk)
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return data[:end] + b"\0\1\2\3" + data[end + 4 :]


@pytest.mark.parametrize(
    "data",
    [large_text(), large_metadata(), encoded("PNG", icc_profile=bytes(3_000_000)), wrong_checksum()],
    ids=["text", "XMP", "profile", "checksum"],
)
def test_a_png_with_damage_outside_its_pixels_is_repaired(data: bytes) -> None:
    with pytest.raises((ValueError, UnidentifiedImageError)):
        Image.open(io.BytesIO(data), formats=["PNG"]).load()
    np.testing.assert_array_equal(pixels(data), np.asarray(PICTURE))


def test_a_repaired_png_keeps_its_orientation() -> None:
    exif, info = Image.Exif(), PngInfo()
    exif[0x112] = 6
    info.add_text("Comment", "x" * 3_000_000, zip=True)
    data = encoded("PNG", exif=exif, pnginfo=info)
    np.testing.assert_array_equal(pixels(data), np.rot90(np.asarray(PICTURE), -1))


def test_a_png_whose_pixels_are_cut_or_whose_header_is_damaged_is_refused() -> None:
    data = encoded("PNG")
    assert refused(data[: len(data) // 2])
    assert refused(wrong_checksum(b"IHDR"))
    large = large_text()
    assert refused(large[: large.index(b"IDAT") + 500])


ODD = {
    "text beyond the file": (270, 2, 4000, b"\xff\xff\xff\x7f"),
    "fraction beyond the file": (282, 5, 1, b"\xf0\xff\xff\xff"),
    "metadata that are a number": (700, 4, 1, b"\x08\0\0\0"),
    "directory before the file": (34665, 9, 1, b"\xff\xff\xff\xff"),
    "thousands of millions of numbers": (254, 4, 0xFFFFFFFF, bytes(4)),
}


def with_tag(data: bytes, tag: int, kind: int, count: int, value: bytes) -> bytes:
    """A TIFF with one more tag, or another one, in a directory at its end."""
    (at,) = struct.unpack_from("<I", data, 4)
    (length,) = struct.unpack_from("<H", data, at)
    entries = {data[place : place + 2]: data[place : place + 12] for place in range(at + 2, at + 2 + 12 * length, 12)}
    entries[struct.pack("<H", tag)] = struct.pack("<HHI", tag, kind, count) + value
    entries = dict(sorted(entries.items(), key=lambda entry: entry[0][::-1]))
    directory = struct.pack("<H", len(entries)) + b"".join(entries.values()) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_a_tiff_with_an_odd_tag_has_its_pixels(
    odd: tuple[int, int, int, bytes], compression: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded("TIFF", compression=compression)
    np.testing.assert_array_equal(pixels(with_tag(data, *odd)), pixels(data))
    capfd.readouterr()  # libtiff's warnings


def test_a_tiff_without_its_last_rows_is_refused() -> None:
    data = encoded("TIFF")
    damaged = with_tag(data, *ODD["text beyond the file"])
    assert not refused(damaged)
    assert refused(data[:-300])


def test_a_repaired_photo_may_be_too_large() -> None:
    with pytest.raises(PhotoRefused) as refusal:
        decode(wrong_checksum(), Settings(dataset="sample", max_pixels=101 * 67 - 1))
    assert refusal.value.outcome is Outcome.TOO_LARGE


HEADS = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"\xff\xd8\xff\xda\0\x08\1\1\0"]


@given(st.sampled_from(HEADS), st.binary(max_size=100))
def test_any_bytes_are_repaired_or_unchanged(head: bytes, rest: bytes) -> None:
    for length in range(len(head) + 1):
        assert all(isinstance(copy, bytes) for copy in repair_candidates(head[:length] + rest))
