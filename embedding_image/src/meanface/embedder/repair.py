"""Copies of photos that a decoder refuses for damage beside their pixels.

JPEG: the end marker is missing, whether or not something else follows. Such a JPEG is doubted even where a decoder
takes it: zeros, with which broken copies are filled up, decode as pixels. PNG: a chunk that says nothing about the
pixels is damaged or larger than Pillow takes. TIFF: a tag that says nothing about the pixels cannot be read.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

GAP = 4096
"""bytes that decode to more than the largest block of a JPEG"""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""that is neither filling nor within a scan"""
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_FRAMES, _PROGRESSIVE = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}, {0xC2, 0xCA}
_RESTART = 0xD0
"""the first of eight, which take turns"""
_EVERY = (1 << 64) - 1
_FILLING = 16
"""zeros at the end of a scan that are no pixels of it"""
_SHORTEST_SCAN = 6
"""bytes of the header of a scan that has one component"""

_PNG = b"\x89PNG\r\n\x1a\n"
_KEPT_CHUNKS = {b"tRNS", b"acTL", b"fcTL", b"fdAT", b"eXIf"}
"""of the chunks that a decoder may pass over: palette's transparency, frames, orientation"""

_KEPT_TAGS = {
    *range(256, 260),
    *(262, 263, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320),
    *(322, 323, 324, 325, 332, 338, 339, 347, 512, 513, 514, 515, 519, 520, 521, 529, 530, 531, 532),
}
"""of a TIFF, what says where the pixels are, how they are packed and how they are turned"""


def lacks_end(data: bytes) -> bool:
    """Whether a photo is a JPEG without an end marker behind its last scan."""
    if data[:2] != b"\xff\xd8" or data.rstrip(b"\0\xff").endswith(b"\xff\xd9"):
        return False
    scan = _last_scan(data)
    return scan is None or data[scan.stop : scan.stop + 2] != b"\xff\xd9"


def repaired(data: bytes) -> tuple[bytes, ...]:
    """Copies of a photo without what is damaged beside its pixels; none where nothing of that kind is.

    Several copies have different bytes where the photo's may be missing: only if their pixels are the same is every
    pixel there.
    """
    if data[:2] == b"\xff\xd8":
        return _ended(data)
    if data[:8] == _PNG:
        return (b"".join(_pixel_chunks(data)),)
    if data[:4] in (b"II*\0", b"MM\0*") and len(data) >= 8:
        return _with_pixel_tags(data)
    return ()


def _ended(data: bytes) -> tuple[bytes, ...]:
    """A JPEG with an end behind its last scan, in which a gap is filled in three ways, two unlike in every bit."""
    scan = _last_scan(data)
    if scan is None:
        return ()
    head = data[: scan.stop].rstrip(b"\xff")
    filled = len(head) - len(head.rstrip(b"\0"))
    if filled >= _FILLING:
        head = head[:-filled].rstrip(b"\xff")
    last = max(range(7, -1, -1), key=lambda number: head.rfind(bytes([0xFF, _RESTART + number]), scan.start))
    restarts = [bytes([0xFF, _RESTART + (last + further) % 8]) for further in range(1, 9)]
    return tuple(
        b"".join([head, fill, *(restart + fill for restart in restarts), b"\xff\xd9"])
        for fill in (b"\xaa" * GAP, b"\x55" * GAP, bytes(GAP))
    )


def _last_scan(data: bytes) -> slice | None:
    """Where the last scan that a JPEG needs has its data; None where a scan is missing.

    A progressive JPEG sends the 64 coefficients of each component in several scans, the last bit of each at the end.
    Source: ITU-T T.81, annexes B and G.
    """
    missing: dict[int, int] = {}
    """component -> a bit for each coefficient"""
    progressive = False
    at = 2
    while (marker := _MARKER.search(data, at)) and marker[0][1] != _END_OF_IMAGE:
        start = marker.end()
        at = start + int.from_bytes(data[start : start + 2], "big")
        segment = data[start + 2 : at]
        if marker[0][1] in _FRAMES:
            missing = dict.fromkeys(segment[6::3], _EVERY)
            progressive = marker[0][1] in _PROGRESSIVE
        elif marker[0][1] == _START_OF_SCAN and len(segment) >= _SHORTEST_SCAN:
            first, last, bits = segment[-3:] if progressive else (0, 63, 0)
            sent = 0 if bits & 15 else _EVERY & (2 << last) - (1 << first)
            for component in segment[1:-3:2]:
                missing[component] = missing.get(component, 0) & ~sent
            if not any(missing.values()):
                return slice(at, _end_of_scan(data, at))
    return None


def _end_of_scan(data: bytes, start: int) -> int:
    """Before the next marker, or before the video that phones put behind a photo."""
    marker = _MARKER.search(data, start)
    end = marker.start() if marker else len(data)
    video = data.find(b"ftyp", start, end)
    return end if video < 0 else max(start, video - 4)


def _pixel_chunks(data: bytes) -> Iterator[bytes]:
    """A PNG's chunks that its pixels and its orientation need; those that have to be there, as they are."""
    yield _PNG
    at = len(_PNG)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        whole = zlib.crc32(data[at + 4 : end - 4]).to_bytes(4, "big") == data[end - 4 : end]
        if not name[0] & 32 or (name in _KEPT_CHUNKS and whole):
            yield data[at:end]
        at = end


def _with_pixel_tags(data: bytes) -> tuple[bytes, ...]:
    """A TIFF whose first directory has the tags of pixels and orientation only; the following ones are cut off."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    if at + 2 > len(data):
        return ()
    (count,) = struct.unpack_from(f"{order}H", data, at)
    entries = [data[entry : entry + 12] for entry in range(at + 2, at + 2 + 12 * count, 12)]
    kept = [entry for entry in entries if len(entry) == 12 and struct.unpack_from(f"{order}H", entry)[0] in _KEPT_TAGS]
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4)
    return (data[:at] + directory + data[at + len(directory) :],)
