"""Bytes to pixels: the reference's pixels, or a refusal that names the reason."""

from __future__ import annotations

import io

import face_recognition
import numpy as np
import pytest
from PIL import Image

from meanface.embedder.decode import PhotoRefused, decode
from meanface.outcome import Outcome
from meanface.settings import Settings
from oddphotos import packed_12_bits

SETTINGS = Settings(dataset="sample", exif_orientation=False)
"""of the reference's reading"""
GRADIENT = np.mgrid[0:40, 0:60].sum(axis=0)


def picture(mode: str) -> Image.Image:
    """A small picture of a mode, with something different in every corner."""
    if mode == "I;16":
        return Image.fromarray((GRADIENT * 600).astype(np.uint16))
    if mode == "1":
        return Image.fromarray(GRADIENT % 7 > 3)
    planes = len(Image.new(mode, (1, 1)).getbands())
    if mode == "P":
        return picture("RGB").quantize(16)
    bands = [Image.fromarray((GRADIENT * (band + 1) % 256).astype(np.uint8)) for band in range(planes)]
    return bands[0] if planes == 1 else Image.merge(mode, bands)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def orientated(orientation: int, image: Image.Image | None = None) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image or picture("RGB"), "JPEG", exif=exif)


def animation() -> bytes:
    return encoded(picture("P"), "GIF", save_all=True, append_images=[Image.new("P", (60, 40), 3)])


KINDS = {
    "jpeg": encoded(picture("RGB"), "JPEG"),
    "jpeg, grey": encoded(picture("L"), "JPEG"),
    "jpeg, CMYK": encoded(picture("CMYK"), "JPEG"),
    "jpeg, turned": orientated(6),
    "png": encoded(picture("RGB"), "PNG"),
    "png, grey": encoded(picture("L"), "PNG"),
    "png, alpha": encoded(picture("RGBA"), "PNG"),
    "png, grey and alpha": encoded(picture("LA"), "PNG"),
    "png, palette": encoded(picture("P"), "PNG"),
    "png, transparent palette": encoded(picture("P"), "PNG", transparency=b"\0\x80" * 8),
    "png, one bit": encoded(picture("1"), "PNG"),
    "webp": encoded(picture("RGB"), "WEBP"),
    "webp, alpha": encoded(picture("RGBA"), "WEBP"),
    "bmp": encoded(picture("RGB"), "BMP"),
    "gif, animated": animation(),
    "tiff": encoded(picture("RGB"), "TIFF"),
    "tiff, CMYK": encoded(picture("CMYK"), "TIFF"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # the reference lets Pillow's warnings through
@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS.keys())
def test_pixels_are_those_of_the_reference(data: bytes) -> None:
    pixels = decode(data, SETTINGS).pixels
    np.testing.assert_array_equal(pixels, face_recognition.load_image_file(io.BytesIO(data)))
    assert pixels.flags.c_contiguous
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("max_side", [None, 200])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_greys_of_16_bits_are_read_by_their_upper_eight(kind: str, order: str, max_side: int | None) -> None:
    deep = picture("I;16") if order == "<" else Image.fromarray(np.asarray(picture("I;16")).astype(">u2"))
    pixels = decode(encoded(deep, kind), SETTINGS.model_copy(update={"max_side": max_side})).pixels
    np.testing.assert_array_equal(pixels, np.repeat((GRADIENT * 600 >> 8)[..., None], 3, axis=2))


def test_greys_of_12_bits_are_read_by_their_upper_eight() -> None:
    greys = (GRADIENT * 32 % 4096).astype(np.uint16)
    pixels = decode(packed_12_bits(greys), SETTINGS).pixels
    np.testing.assert_array_equal(pixels, np.repeat((greys >> 4)[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_greys_of_16_bits_up_to_255_are_read_unchanged(kind: str) -> None:
    data = encoded(Image.fromarray(GRADIENT.astype(np.uint16)), kind)
    pixels = decode(data, SETTINGS).pixels
    np.testing.assert_array_equal(pixels, np.repeat(GRADIENT[..., None], 3, axis=2))
    np.testing.assert_array_equal(pixels, face_recognition.load_image_file(io.BytesIO(data)))


def test_floating_point_greys_slightly_above_1_or_nan_do_not_make_a_photo_black() -> None:
    floats = (GRADIENT / GRADIENT.max() * 1.02).astype(np.float32)
    floats[0, 0] = np.nan
    pixels = decode(encoded(Image.fromarray(floats), "TIFF"), SETTINGS).pixels
    expected = (np.nan_to_num(floats) * 255).clip(0, 255).astype(np.uint8)
    np.testing.assert_array_equal(pixels, np.repeat(expected[..., None], 3, axis=2))


def test_floating_point_greys_up_to_1_are_scaled_and_others_are_not() -> None:
    for scale, expected in ((1 / 128, GRADIENT / 128 * 255), (1.0, GRADIENT)):
        pixels = decode(encoded(Image.fromarray((GRADIENT * scale).astype(np.float32)), "TIFF"), SETTINGS).pixels
        np.testing.assert_array_equal(pixels, np.repeat(expected.astype(np.uint8)[..., None], 3, axis=2))


def test_photos_are_turned_upright_by_default() -> None:
    lying = decode(orientated(6), SETTINGS).pixels
    upright = decode(orientated(6), Settings(dataset="sample")).pixels
    np.testing.assert_array_equal(upright, np.rot90(lying, -1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("size", "max_side", "expected"),
    [
        ((800, 600), None, (800, 600)),
        ((800, 600), 900, (800, 600)),
        ((800, 600), 800, (800, 600)),
        ((800, 600), 500, (500, 375)),  # a JPEG is decoded whole
        ((800, 600), 399, (399, 299)),  # and here at half its size
        ((600, 800), 100, (75, 100)),
        ((3000, 2), 64, (64, 1)),
    ],
)
def test_larger_photos_are_scaled_down_on_request(
    kind: str, size: tuple[int, int], max_side: int | None, expected: tuple[int, int]
) -> None:
    """Flat halves stay where they were, and as they were."""
    left = Image.new("RGB", size, (200, 40, 40))
    left.paste((40, 40, 200), (size[0] // 2, 0, *size))
    pixels = decode(encoded(left, kind), Settings(dataset="sample", max_side=max_side)).pixels
    assert pixels.shape == (expected[1], expected[0], 3)
    margin = expected[0] // 8
    assert np.abs(pixels[:, :margin].astype(int) - (200, 40, 40)).max() <= 3
    assert np.abs(pixels[:, -margin:].astype(int) - (40, 40, 200)).max() <= 3


def test_a_jpeg_is_decoded_no_larger_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    original = Image.Image.thumbnail
    monkeypatch.setattr(Image.Image, "thumbnail", lambda image, to: loaded.append(image.size) or original(image, to))
    decode(encoded(Image.new("RGB", (4000, 3000)), "JPEG"), Settings(dataset="sample", max_side=1000))
    assert loaded == [(1000, 750)]


@pytest.mark.parametrize("turned", [False, True])
def test_a_photo_is_scaled_by_its_longer_side_however_it_is_turned(turned: bool) -> None:
    settings = Settings(dataset="sample", exif_orientation=turned, max_side=64)
    pixels = decode(orientated(6, Image.new("RGB", (400, 200))), settings).pixels
    assert pixels.shape == ((64, 32, 3) if turned else (32, 64, 3))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!doctype html><title>404</title>",
        KINDS["jpeg"][: len(KINDS["jpeg"]) // 2],
        KINDS["png"][:60],
        KINDS["webp"][:60],
        b"P6 1 1 255 abc",  # a format that Pillow knows and photos do not need
        KINDS["jpeg"][:2] + bytes(500),
    ],
    ids=["empty", "html", "half a jpeg", "start of a png", "start of a webp", "ppm", "noise"],
)
def test_an_incomplete_image_is_undecodable(data: bytes) -> None:
    with pytest.raises(PhotoRefused) as refused:
        decode(data, SETTINGS)
    assert refused.value.outcome is Outcome.UNDECODABLE
    assert refused.value.detail
    assert "0x" not in refused.value.detail


def test_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    bomb = encoded(Image.new("1", (30_000, 30_000)), "PNG")
    assert len(bomb) < 200_000
    with pytest.raises(PhotoRefused, match=r"30,000 x 30,000 pixels, more than max_pixels=200,000,000") as refused:
        decode(bomb, SETTINGS)
    assert refused.value.outcome is Outcome.TOO_LARGE


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"save_all": True}], ids=["lossy", "lossless", "animated"])
def test_a_huge_webp_is_refused_before_it_is_opened(options: dict[str, object]) -> None:
    """Pillow allocates memory for the complete picture when it opens one."""
    data = encoded(picture("RGB").resize((300, 200)), "WEBP", **options)
    settings = Settings(dataset="sample", max_pixels=300 * 200)
    assert decode(data, settings).pixels.shape == (200, 300, 3)
    with pytest.raises(PhotoRefused, match="300 x 200 pixels") as refused:
        decode(data[:40], settings.model_copy(update={"max_pixels": 300 * 200 - 1}))  # as much as its header
    assert refused.value.outcome is Outcome.TOO_LARGE


@pytest.mark.parametrize(("upsample", "counted"), [(0, 1), (1, 1), (2, 4), (3, 16)])
def test_pixels_count_as_often_as_they_are_searched(upsample: int, counted: int) -> None:
    """More exactly, as often as with the default: `max_pixels` is a limit on photos that are doubled once."""
    settings = Settings(dataset="sample", upsample=upsample, max_pixels=60 * 40 * counted)
    assert decode(KINDS["png"], settings).pixels.shape == (40, 60, 3)
    with pytest.raises(PhotoRefused) as refused:
        decode(KINDS["png"], settings.model_copy(update={"max_pixels": 60 * 40 * counted - 1}))
    assert refused.value.outcome is Outcome.TOO_LARGE
    assert refused.value.detail.startswith("60 x 40 pixels")
    assert (f"count {counted} times with upsample={upsample}: more" in refused.value.detail) is (counted > 1)


def test_a_photo_that_is_scaled_down_counts_as_what_remains() -> None:
    photo = encoded(picture("RGB").resize((600, 400)), "JPEG")
    settings = Settings(dataset="sample", upsample=3, max_side=300, max_pixels=16 * 300 * 200)
    assert decode(photo, settings).pixels.shape == (200, 300, 3)
    with pytest.raises(PhotoRefused, match=r"600 x 400 pixels, 300 x 200 with max_side=300, which count 16 times"):
        decode(photo, settings.model_copy(update={"max_pixels": 16 * 300 * 200 - 1}))


@pytest.mark.parametrize("rows", [1, 7, 10_000])
@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS.keys())
def test_pixels_are_the_same_however_many_are_copied_at_a_time(
    data: bytes, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = decode(data, SETTINGS).pixels
    monkeypatch.setattr("meanface.embedder.decode.ROWS", rows * 60)
    np.testing.assert_array_equal(decode(data, SETTINGS).pixels, expected)


def test_the_largest_allowed_picture_is_decoded() -> None:
    settings = Settings(dataset="sample", max_pixels=60 * 40)
    assert decode(KINDS["png"], settings).pixels.shape == (40, 60, 3)
