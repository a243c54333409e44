"""The data of a picture are found in its container, and hostile containers end quickly."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heic import heic, heic_grid
from meanface.embedder.heif_items import missing_part

PICTURE = Image.linear_gradient("L").convert("RGB").crop((0, 0, 128, 64))


def box(kind: bytes, *content: bytes) -> bytes:
    joined = b"".join(content)
    return struct.pack(">I4s", 8 + len(joined), kind) + joined


def container(*extents: tuple[int, int], data: bytes, version: int = 0, method: int = 0, item: int = 1) -> bytes:
    """A file with one item at places that are counted from the start of `data`."""
    full = struct.pack(">B3x", version)

    def file(shift: int) -> bytes:
        places = b"".join(struct.pack(">II", start + shift, length) for start, length in extents)
        how = struct.pack(">H", method) if version else b""
        count, number = (">I", ">I") if version == 2 else (">H", ">H")
        iloc = full + b"\x44\0" + struct.pack(count, 1) + struct.pack(number, item) + how
        iloc += struct.pack(">HH", 0, len(extents)) + places
        meta = box(b"meta", bytes(4), box(b"pitm", bytes(4), b"\0\1"), box(b"iloc", iloc))
        return box(b"ftyp", b"heic") + meta + box(b"mdat", data)

    return file(len(file(0)) - len(data))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_extents_of_every_version_are_found(version: int) -> None:
    whole = container((0, 30), (50, 20), data=b"x" * 70, version=version)
    assert missing_part(whole) == ""
    assert missing_part(whole[:-1]).startswith("the image file is truncated: it has ")
    assert "zeros" in missing_part(container((0, 30), data=b"x" * 5 + bytes(25), version=version))
    assert missing_part(container((0, 15), data=bytes(15), version=version)) == ""


def test_an_extent_without_length_reaches_to_the_end_of_the_file() -> None:
    assert missing_part(container((0, 0), data=b"x" * 70)) == ""


def test_other_items_and_other_places_do_not_count() -> None:
    assert missing_part(container((0, 1000), data=b"x", item=7)) == ""
    assert missing_part(container((0, 1000), data=b"x", version=1, method=1)) == ""


def test_a_missing_preview_is_not_missed_and_a_missing_tile_is() -> None:
    data = heic_grid(PICTURE, 32)
    assert missing_part(data) == ""
    assert "truncated" in missing_part(data[:-1])
    assert missing_part(heic(PICTURE, exif=b"Exif\0\0II*\0")[:-1]) == ""


def test_an_item_that_is_made_of_itself_ends() -> None:
    whole = container((0, 10), data=b"x" * 10)
    circle = box(b"iref", bytes(4), box(b"dimg", struct.pack(">HHH", 1, 1, 1)))
    meta = box(b"meta", bytes(4), box(b"pitm", bytes(4), b"\0\1"), circle, whole[whole.index(b"iloc") - 4 :])
    assert missing_part(box(b"ftyp", b"heic") + meta) in ("", missing_part(whole))


@given(st.binary(max_size=300), st.integers(0, 100))
def test_any_bytes_have_an_answer(noise: bytes, at: int) -> None:
    data = heic_grid_bytes()
    assert isinstance(missing_part(noise), str)
    assert isinstance(missing_part(data[: 8 + at] + noise + data[8 + at + len(noise) :]), str)


def heic_grid_bytes(cache: list[bytes] = []) -> bytes:  # noqa: B006 - encoded once
    if not cache:
        cache.append(heic_grid(PICTURE, 64))
    return cache[0]
