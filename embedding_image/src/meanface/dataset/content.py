"""Identify a file by its first bytes, for messages about files that are no photos. Pure.

Sources: the formats' own specifications, as the `file` program collects them; for the brands of
`ftyp` boxes, https://mp4ra.org/registered-types/brands.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

UNKNOWN = "a file of an unknown kind"
START = 4096
"""number of first bytes that are looked at"""


class Content(NamedTuple):
    """The kind of a file, and advice."""

    name: str
    """with its article: "an HTML page\""""
    advice: str = ""
    """how to get a photo from it; may be empty"""

    def __str__(self) -> str:
        return f"{self.name}: {self.advice}" if self.advice else self.name


_AS_JPEG = "convert it to JPEG or PNG"
_HEIC = Content("a HEIC photo")
_AVIF = Content("an AVIF photo")
_JPEG_XL = Content("a JPEG XL photo", _AS_JPEG)
_JPEG_2000 = Content("a JPEG 2000 photo", _AS_JPEG)
_RAW = Content("a raw photo", "export it as JPEG")
_SVG = Content("an SVG drawing", "export it as PNG")
_VIDEO = Content("a video", "give photos, such as frames of it")
_DOWNLOAD = "download or copy it again"
_ARCHIVE = "give it as the dataset, not inside one"

_SIGNATURES = {
    Content("a JPEG photo"): (b"\xff\xd8\xff",),
    Content("a PNG photo"): (b"\x89PNG\r\n\x1a\n",),
    Content("a GIF photo"): (b"GIF87a", b"GIF89a"),
    Content("a TIFF photo"): (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    _JPEG_XL: (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    _JPEG_2000: (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    _RAW: (b"IIU\0", b"FUJIFILM", b"IIRO"),
    Content("a Photoshop document", "export it as JPEG or PNG"): (b"8BPS",),
    Content("a PDF document", "export its pictures as JPEG or PNG"): (b"%PDF-",),
    Content("an icon", _AS_JPEG): (b"\0\0\1\0",),
    _VIDEO: (b"\x1a\x45\xdf\xa3",),
    Content("a macOS companion file (AppleDouble)", "remove it"): (b"\0\5\x16\7",),
    Content("a zip archive", _ARCHIVE): (b"PK\3\4",),
    Content("an empty zip archive"): (b"PK\5\6",),
    Content("a part of a spanned zip archive", "join its parts with `zip -s 0 IN --out OUT`"): (b"PK\7\x08",),
    Content("a 7z archive", "pack it again as zip or tar"): (b"7z\xbc\xaf\x27\x1c",),
    Content("a RAR archive", "pack it again as zip or tar"): (b"Rar!\x1a\7",),
    Content("Zstandard data", "decompress it with `unzstd`"): (b"\x28\xb5\x2f\xfd",),
    Content("gzip data", "decompress it with `gunzip`"): (b"\x1f\x8b",),
    Content("bzip2 data", "decompress it with `bunzip2`"): (b"BZh",),
    Content("xz data", "decompress it with `unxz`"): (b"\xfd7zXZ\0",),
    Content("a Parquet file", "give it as the dataset"): (b"PAR1",),
    Content("a Git LFS pointer", "fetch the file with `git lfs pull`"): (b"version https://git-lfs",),
    Content("a git-annex pointer", "fetch the file with `git annex get`"): (b"/annex/objects/",),
}
_BMP_HEADERS = {bytes([size]) for size in (12, 40, 52, 56, 64, 108, 124)}
_BRANDS = (
    ({b"avif", b"avis"}, _AVIF),  # before the brands that AVIF and HEIC have in common
    ({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}, _HEIC),
    ({b"crx "}, _RAW),
)
_MARKUP = (
    ((b"<!doctype html", b"<html", b"<head", b"<body", b"<script"), Content("an HTML page", _DOWNLOAD)),
    ((b"<svg",), _SVG),
    ((b"<?xml", b"<error"), Content("an XML text, perhaps a server's error message", _DOWNLOAD)),
    ((b"{", b"["), Content("a JSON text, perhaps a server's error message", _DOWNLOAD)),
)


def identify(start: bytes) -> Content:
    """Identify a file by its first bytes: all of them, or `START`."""
    if not start:
        return Content("an empty file", _DOWNLOAD)
    if not any(start):
        return Content("a file of zero bytes, as a broken copy leaves it", _DOWNLOAD)
    if known := next((content for content, starts in _SIGNATURES.items() if start.startswith(starts)), None):
        return known
    return _of_container(start) or _of_text(start) or Content(UNKNOWN)


def _of_container(start: bytes) -> Content | None:
    """Identify formats whose signature is not at the start."""
    if start[4:8] == b"ftyp":
        return _of_brands(start)
    if start[:2] == b"BM" and start[6:10] == bytes(4) and start[14:15] in _BMP_HEADERS and start[15:18] == bytes(3):
        return Content("a BMP photo")
    if start[:4] == b"RIFF":
        return Content("a WebP photo") if start[8:12] == b"WEBP" else _VIDEO
    return Content("a tar archive", _ARCHIVE) if start[257:262] == b"ustar" else None


def _of_brands(start: bytes) -> Content:
    """Identify an ISO media file by the brands that it is compatible with."""
    end = min(int.from_bytes(start[:4], "big"), len(start))
    brands = {start[at : at + 4] for at in (8, *range(16, end - 3, 4))}
    return next((content for known, content in _BRANDS if brands & known), _VIDEO)


def _of_text(start: bytes) -> Content | None:
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<?xml") and b"<svg" in text:
        return _SVG
    for starts, content in _MARKUP:
        if text.startswith(starts):
            return content
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in start[:256]) and _is_utf8(start[:256]):
        return Content("a text", _DOWNLOAD)
    return None


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return True
