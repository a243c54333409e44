"""A storage for an archive's shards that keeps the first bytes in memory and writes no file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from meanface.dataset.refs import PhotoRef
from meanface.storage.files import Storage

MOST_BYTES = 1 << 26


class FirstBytes(Storage):
    """Takes all shards, and keeps the start of the first one.

    >>> storage = FirstBytes()
    >>> with storage.open_output("shards/00000.tar") as shard:
    ...     shard.write(b"header, photo")
    13
    >>> with storage.open_output("shards/00001.tar") as shard:
    ...     shard.write(b"header, photo")
    13
    >>> storage.read_range("shards/00000.tar", 8, 5)
    b'photo'
    >>> [storage.has(PhotoRef("a.jpg", 5, f"shards/0000{number}.tar", 8)) for number in (0, 1)]
    [True, False]
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.url = "memory"
        self.paths: set[str] = set()
        """of the shards"""
        self._most, self._first, self._kept = most, "", bytearray()

    @contextmanager
    def open_output(self, path: str) -> Iterator[IO[bytes]]:
        """Open a shard for writing."""
        self.paths.add(path)
        self._first = self._first or path
        kept, most = (self._kept, self._most) if path == self._first else (bytearray(), 0)
        yield cast(IO[bytes], _Kept(kept, most))

    def read_range(self, path: str, offset: int, size: int, version: str = "") -> bytes:  # noqa: ARG002 - nothing changes
        """Read bytes that are kept."""
        return bytes(self._kept[offset : offset + size]) if path == self._first else b""

    def has(self, photo: PhotoRef) -> bool:
        """Whether the photo is kept, or in no shard."""
        if photo.source not in self.paths:
            return True
        return photo.source == self._first and 0 <= photo.offset <= len(self._kept) - photo.size


class _Kept(io.RawIOBase):
    """A stream that keeps its first bytes."""

    def __init__(self, kept: bytearray, most: int) -> None:
        self._kept, self._most = kept, most

    def write(self, data: bytes) -> int:  # type: ignore[override]  # callers pass bytes
        self._kept += data[: max(0, self._most - len(self._kept))]
        return len(data)
