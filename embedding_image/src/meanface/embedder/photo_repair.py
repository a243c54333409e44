"""Repair photos that a decoder refuses because of damage outside their pixels; pure.

JPEG: the end marker is missing, whether or not something else follows. Such a JPEG is checked even
if a decoder accepts it: zeros, which fill up broken copies, decode as pixels. PNG: a chunk that
does not affect the pixels is damaged or too large for Pillow. TIFF: a tag that does not affect the
pixels cannot be read.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

GAP = 4096
"""bytes that decode to more than the largest block of a JPEG"""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""a marker that is neither padding nor within a scan"""
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_FRAMES, _PROGRESSIVE = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}, {0xC2, 0xCA}
_RESTART = 0xD0
"""the first of eight, which alternate"""
_ALL_COEFFICIENTS = (1 << 64) - 1
_PADDING = 16
"""this many zeros at the end of a scan are padding, not pixels"""
_SHORTEST_SCAN = 6
"""bytes in the header of a scan with one component"""

_PNG = b"\x89PNG\r\n\x1a\n"
_KEPT_CHUNKS = {b"tRNS", b"acTL", b"fcTL", b"fdAT", b"eXIf"}
"""optional chunks for the palette's transparency, frames, orientation"""

_KEPT_TAGS = {
    *range(256, 260),
    *(262, 263, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320),
    *(322, 323, 324, 325, 332, 338, 339, 347, 512, 513, 514, 515, 519, 520, 521, 529, 530, 531, 532),
}
"""tags of a TIFF for the position, encoding and orientation of the pixels"""


def lacks_end(data: bytes) -> bool:
    """Whether a photo is a JPEG without an end marker after its last scan."""
    if data[:2] != b"\xff\xd8" or data.rstrip(b"\0\xff").endswith(b"\xff\xd9"):
        return False
    scan = _last_scan(data)
    return scan is None or data[scan.stop : scan.stop + 2] != b"\xff\xd9"


def repair_candidates(data: bytes) -> tuple[bytes, ...]:
    """Copies of a photo without damage outside its pixels; none if there is no such repair.

    Several copies differ where bytes of the photo may be missing: no pixel is missing only if all
    of them have the same pixels.
    """
    if data[:2] == b"\xff\xd8":
        return _ended(data)
    if data[:8] == _PNG:
        return (b"".join(_pixel_chunks(data)),)
    if data[:4] in (b"II*\0", b"MM\0*") and len(data) >= 8:
        return _with_pixel_tags(data)
    return ()


def _ended(data: bytes) -> tuple[bytes, ...]:
    """A JPEG ended after its last scan, a gap filled in three ways; two differ in every bit."""
    scan = _last_scan(data)
    if scan is None:
        return ()
    head = data[: scan.stop].rstrip(b"\xff")
    zeros = len(head) - len(head.rstrip(b"\0"))
    if zeros >= _PADDING:
        head = head[:-zeros].rstrip(b"\xff")
    last = max(range(7, -1, -1), key=lambda number: head.rfind(bytes([0xFF, _RESTART + number]), scan.start))
    restarts = [bytes([0xFF, _RESTART + (last + further) % 8]) for further in range(1, 9)]
    return tuple(
        b"".join([head, fill, *(restart + fill for restart in restarts), b"\xff\xd9"])
        for fill in (b"\xaa" * GAP, b"\x55" * GAP, bytes(GAP))
    )


def _last_scan(data: bytes) -> slice | None:
    """Data of the last scan that a JPEG needs; None if a scan is missing.

    A progressive JPEG sends the 64 coefficients of each component in several scans, the last bit of
    each at the end. Source: ITU-T T.81, annexes B and G.
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
            missing = dict.fromkeys(segment[6::3], _ALL_COEFFICIENTS)
            progressive = marker[0][1] in _PROGRESSIVE
        elif marker[0][1] == _START_OF_SCAN and len(segment) >= _SHORTEST_SCAN:
            first, last, bits = segment[-3:] if progressive else (0, 63, 0)
            sent = 0 if bits & 15 else _ALL_COEFFICIENTS & (2 << last) - (1 << first)
            for component in segment[1:-3:2]:
                missing[component] = missing.get(component, 0) & ~sent
            if not any(missing.values()):
                return slice(at, _end_of_scan(data, at))
    return None


def _end_of_scan(data: bytes, start: int) -> int:
    """Before the next marker, or before the video that phones append to a photo."""
    marker = _MARKER.search(data, start)
    end = marker.start() if marker else len(data)
    video = data.find(b"ftyp", start, end)
    return end if video < 0 else max(start, video - 4)


def _pixel_chunks(data: bytes) -> Iterator[bytes]:
    """A PNG's chunks for pixels and orientation; required ones whatever their checksum."""
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
    """A TIFF with one directory, which has the tags of pixels and orientation only."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    if at + 2 > len(data):
        return ()
    (count,) = struct.unpack_from(f"{order}H", data, at)
    entries = [data[entry : entry + 12] for entry in range(at + 2, at + 2 + 12 * count, 12)]
    kept = [entry for entry in entries if len(entry) == 12 and struct.unpack_from(f"{order}H", entry)[0] in _KEPT_TAGS]
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4)
    return (data[:at] + directory + data[at + len(directory) :],)
