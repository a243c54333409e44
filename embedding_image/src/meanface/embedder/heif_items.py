"""Read what a HEIC or AVIF file says of its main picture: its size, and where its data are; pure.

Source: ISO/IEC 14496-12 (boxes; 8.11 for `meta`, `pitm`, `iloc`, `iref`) and 23008-12 (`dimg`,
`ispe`, `ipma`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

_ZEROS = bytes(16)
"""No coded picture ends in so many; a broken copy does."""
_IN_FILE = 0
"""construction method of items whose offsets are those of the file"""
MOST_EXTENTS = 1 << 16
"""A picture has one for each of its tiles; a hostile file may declare billions."""


class _Box(NamedTuple):
    kind: bytes
    start: int
    """of its content"""
    end: int


class _Reader:
    """Reads big-endian integers one after another; struct.error at the end of the data."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at = data, at

    def integer(self, size: int) -> int:
        if self.at + size > len(self._data):
            raise struct.error("ends early")
        self.at += size
        return int.from_bytes(self._data[self.at - size : self.at], "big")


def missing_part(data: bytes) -> str:
    """Describe what a file lacks of its main picture; empty if nothing, or if its boxes cannot be read.

    The main picture is the primary item and those that it is made of, such as the tiles of a grid.
    Other pictures in the file, such as previews, may be cut off.
    """
    try:
        needed = _extents_of_picture(data)
    except (struct.error, KeyError):
        return ""
    end = max((stop for _, stop in needed), default=0)
    if end > len(data):
        return f"the image file is truncated: it has {len(data):,} bytes, its picture ends after {end:,}"
    if any(stop - start >= len(_ZEROS) and data.endswith(_ZEROS, start, stop) for start, stop in needed):
        return "the image file is a broken copy: data of its picture are zeros"
    return ""


def declared_size(data: bytes) -> tuple[int, int]:
    """Columns and rows that the main picture declares, before it is turned; (0, 0) if that cannot be read."""
    try:
        inside = _meta_boxes(data)
        properties = list(_boxes(data, inside[b"iprp"].start, inside[b"iprp"].end))
        known = [box for held in properties if held.kind == b"ipco" for box in _boxes(data, held.start, held.end)]
        numbers = _properties(data, [box for box in properties if box.kind == b"ipma"], _primary(data, inside))
        for box in (known[number - 1] for number in numbers if 0 < number <= len(known)):
            if box.kind == b"ispe":
                reader = _Reader(data, box.start + 4)
                return reader.integer(4), reader.integer(4)
    except (struct.error, KeyError):
        pass
    return 0, 0


def _properties(data: bytes, associations: list[_Box], wanted: int) -> Iterator[int]:
    """Numbers of the properties of an item, from 1."""
    for box in associations:
        reader = _Reader(data, box.start)
        head = reader.integer(4)
        for _ in range(reader.integer(4)):
            item = reader.integer(4 if head >> 24 else 2)
            for _ in range(reader.integer(1)):
                number = reader.integer(2) & 0x7FFF if head & 1 else reader.integer(1) & 0x7F
                if item == wanted:
                    yield number


def _meta_boxes(data: bytes) -> dict[bytes, _Box]:
    """The boxes that describe the file's items; KeyError if there are none."""
    top = {box.kind: box for box in _boxes(data, 0, len(data))}
    return {box.kind: box for box in _boxes(data, top[b"meta"].start + 4, top[b"meta"].end)}


def _primary(data: bytes, inside: dict[bytes, _Box]) -> int:
    """Number of the main picture's item."""
    reader = _Reader(data, inside[b"pitm"].start)
    return reader.integer(4 if reader.integer(4) >> 24 else 2)


def _extents_of_picture(data: bytes) -> list[tuple[int, int]]:
    """First and last byte position of each part of the main picture that the file stores."""
    inside = _meta_boxes(data)
    sources = _sources(data, inside[b"iref"]) if b"iref" in inside else {}
    items, waiting = set[int](), [_primary(data, inside)]
    while waiting:
        item = waiting.pop()
        if item not in items:
            items.add(item)
            waiting += sources.get(item, ())
    return [extent for item, extent in islice(_extents(data, inside[b"iloc"]), MOST_EXTENTS) if item in items]


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        reader = _Reader(data, start)
        size, kind = reader.integer(4), reader.integer(4).to_bytes(4, "big")
        if size == 1:
            size = reader.integer(8)
        stop = start + size if size else end
        if stop < reader.at:
            return
        yield _Box(kind, reader.at, stop)
        start = stop


def _sources(data: bytes, iref: _Box) -> dict[int, list[int]]:
    """The items that each derived picture is made of."""
    wide = 4 if _Reader(data, iref.start).integer(4) >> 24 else 2
    found: dict[int, list[int]] = {}
    for box in _boxes(data, iref.start + 4, min(iref.end, len(data))):
        if box.kind == b"dimg":
            reader = _Reader(data, box.start)
            item, count = reader.integer(wide), reader.integer(2)
            found.setdefault(item, []).extend(reader.integer(wide) for _ in range(count))
    return found


def _extents(data: bytes, iloc: _Box) -> Iterator[tuple[int, tuple[int, int]]]:
    """The places in the file of each item, one after the other."""
    reader = _Reader(data, iloc.start)
    version = reader.integer(4) >> 24
    sizes = reader.integer(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(reader.integer(2 if version < 2 else 4)):
        item = reader.integer(2 if version < 2 else 4)
        method = reader.integer(2) & 15 if version else _IN_FILE
        in_this_file = reader.integer(2) == 0
        base, places = reader.integer(base_size), reader.integer(2)
        if places > 1 and not (offset_size or length_size):
            raise struct.error("several places without an address")  # each would be the same, in no bytes of the file
        for _ in range(places):
            reader.integer(index_size if version else 0)
            start = base + reader.integer(offset_size)
            length = reader.integer(length_size)
            if in_this_file and method == _IN_FILE:
                yield item, (start, start + length if length else max(start, len(data)))
