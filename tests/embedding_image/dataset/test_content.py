"""What a file is by its first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
from PIL import Image

from meanface.dataset.content import START, identify
from meanface.embedder.decode import PhotoRefused, decode
from meanface.outcome import Outcome
from meanface.settings import Settings


def encoded(kind: str) -> bytes:
    output = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(output, kind)
    return output.getvalue()


def packed(kind: str | int) -> bytes:
    output = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(output, "w") as archive:
            archive.writestr("a", b"a")
    else:
        with tarfile.open(fileobj=output, mode="w", format=kind) as members:
            members.addfile(tarfile.TarInfo("a"))
    return output.getvalue()


def ftyp(*brands: bytes) -> bytes:
    box = brands[0] + bytes(4) + b"".join(brands[1:])
    return (8 + len(box)).to_bytes(4, "big") + b"ftyp" + box + bytes(100)


FILES = {
    "a JPEG photo": [encoded("JPEG")],
    "a PNG photo": [encoded("PNG")],
    "a BMP photo": [encoded("BMP")],
    "a WebP photo": [encoded("WEBP")],
    "a GIF photo": [encoded("GIF")],
    "a TIFF photo": [encoded("TIFF")],
    "an AVIF photo": [encoded("AVIF"), ftyp(b"mif1", b"mif1", b"avif", b"miaf")],
    "a HEIC photo": [ftyp(b"heic", b"mif1", b"heic"), ftyp(b"mif1", b"heic"), ftyp(b"msf1", b"hevc")],
    "a raw photo": [ftyp(b"crx ", b"crx ", b"isom"), b"FUJIFILMCCD-RAW 0201"],
    "a video": [ftyp(b"mp42", b"isom"), ftyp(b"qt  "), b"\x1a\x45\xdf\xa3webm", b"RIFF1234AVI LIST"],
    "a JPEG 2000 photo": [encoded("JPEG2000"), b"\xff\x4f\xff\x51\0"],
    "a JPEG XL photo": [b"\xff\x0a\1", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "an icon": [encoded("ICO")],
    "a PDF document": [encoded("PDF")],
    "a Photoshop document": [b"8BPS\0\1"],
    "an HTML page": [b"<!DOCTYPE html><svg/>", b"\xef\xbb\xbf \n<html>", b"<HEAD>"],
    "an SVG drawing": [b"<svg/>", b"<?xml version='1.0'?>\n<!-- a -->\n<svg/>"],
    "an XML text, perhaps a server's error message": [b"<?xml version='1.0'?><Error/>", b"<Error><Code>NoSuchKey"],
    "a JSON text, perhaps a server's error message": [b'{"error": 404}', b"[]"],
    "a text": [b"Not found\n", "Für immer".encode() * 100],
    "a Git LFS pointer": [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"],
    "a git-annex pointer": [b"/annex/objects/SHA256E-s5--0.jpg\n"],
    "a macOS companion file (AppleDouble)": [b"\0\5\x16\7\0\2\0\0Mac OS X        "],
    "a zip archive": [packed("zip")],
    "a tar archive": [packed(tarfile.GNU_FORMAT), packed(tarfile.USTAR_FORMAT), packed(tarfile.PAX_FORMAT)],
    "gzip data": [gzip.compress(b"a", mtime=0)],
    "bzip2 data": [bz2.compress(b"a")],
    "xz data": [lzma.compress(b"a")],
    "Zstandard data": [b"\x28\xb5\x2f\xfd\0"],
    "a 7z archive": [b"7z\xbc\xaf\x27\x1c\0\4"],
    "a RAR archive": [b"Rar!\x1a\7\0", b"Rar!\x1a\7\1\0"],
    "a Parquet file": [b"PAR1"],
    "an empty file": [b""],
    "a file of zero bytes, as a broken copy leaves it": [bytes(5000)],
    "a file of an unknown kind": [b"\x93\1\2", b"\xff", bytes(4) + b"\1"],
}


READ = {
    *("a JPEG photo", "a PNG photo", "a WebP photo", "a GIF photo", "a BMP photo", "a TIFF photo"),
    *("a HEIC photo", "an AVIF photo"),
}


@pytest.mark.parametrize(("name", "data"), [(name, data) for name, found in FILES.items() for data in found])
def test_a_file_is_identified_by_its_start(name: str, data: bytes) -> None:
    assert identify(data[:START]).name == name


@pytest.mark.parametrize("data", [data for found in FILES.values() for data in found])
def test_any_part_of_a_start_can_be_identified(data: bytes) -> None:
    for end in range(min(len(data), 300)):
        assert identify(data[:end]).name


@pytest.mark.parametrize("data", [data for name, found in FILES.items() if name not in READ for data in found])
def test_a_file_that_is_no_photo_is_refused_with_its_kind(data: bytes) -> None:
    with pytest.raises(PhotoRefused) as refused:
        decode(data, Settings(dataset="sample"))
    assert refused.value.outcome is Outcome.UNDECODABLE
    assert refused.value.detail == f"not a photo in a supported format, but {identify(data[:START])}"


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF"])
def test_a_photo_with_a_truncated_header_is_reported_as_damaged(kind: str) -> None:
    with pytest.raises(PhotoRefused) as refused:
        decode(encoded(kind)[:9], Settings(dataset="sample"))
    assert refused.value.detail == f"damaged: it begins like a {kind} photo, but its header cannot be read"


@pytest.mark.parametrize("name", ["a HEIC photo", "an AVIF photo"])
def test_a_container_without_a_picture_is_reported_as_damaged(name: str) -> None:
    with pytest.raises(PhotoRefused) as refused:
        decode(FILES[name][-1], Settings(dataset="sample"))
    assert refused.value.detail == f"damaged: it begins like {name}, but its header cannot be read"
