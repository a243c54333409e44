"""Parquet files that are replaced only if they are as meanface wrote them.

A program that edits a table usually keeps its metadata, so a key there does not show who wrote the
content. Therefore the metadata have a SHA-256 of all bytes of the file, in which zeros stand for the
SHA-256 itself. It is hashed while the file is written, and compared in parts: neither needs the file
in memory.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from meanface.storage.files import Storage

_SHA256 = b"meanface.sha256"
_ZEROS = b"0" * 64
_MAGIC = b"PAR1"
_TAIL = 8
"""bytes: length of the footer, magic"""
_PART = 8 << 20
"""bytes that are compared at a time"""


@contextmanager
def own_parquet(output: IO[bytes], schema: pa.Schema, metadata: Mapping[bytes, bytes]) -> Iterator[pq.ParquetWriter]:
    """Write a file that `own_metadata` recognises; `metadata` may be completed until the block ends."""
    stream = _WithoutFooter(output)
    with pq.ParquetWriter(cast(IO[bytes], stream), schema, compression="zstd") as writer:
        yield writer
        writer.add_key_value_metadata({**metadata, _SHA256: _ZEROS})
        stream.footer = bytearray()
    stream.sha256.update(stream.footer)
    output.write(stream.footer.replace(_ZEROS, stream.sha256.hexdigest().encode()))


def own_metadata(folder: Storage, name: str) -> dict[bytes, bytes]:
    """The metadata of a file that is as `own_parquet` wrote it; none of any other file."""
    if folder.kind(name) != "file":
        return {}
    size = folder.size(name)
    tail = folder.read_range(name, max(0, size - _TAIL), _TAIL)
    start = size - _TAIL - int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or start < 0:
        return {}
    footer = folder.read_range(name, start, size - start)
    try:
        metadata: dict[bytes, bytes] = pq.read_metadata(pa.BufferReader(footer)).metadata or {}
    except (OSError, ValueError, pa.ArrowException):
        return {}
    claimed = metadata.get(_SHA256, b"")
    if len(claimed) != len(_ZEROS):
        return {}
    found = hashlib.sha256()
    for offset in range(0, start, _PART):
        found.update(folder.read_range(name, offset, min(_PART, start - offset)))
    found.update(footer.replace(claimed, _ZEROS))
    return metadata if found.hexdigest().encode() == claimed else {}


class _WithoutFooter(io.BufferedIOBase):
    """A stream that hashes what it passes on, and holds the footer back once there is room for it."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output, self.sha256 = output, hashlib.sha256()
        self.footer: bytearray | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # callers pass bytes, not any buffer
        if self.footer is not None:
            self.footer += data
        else:
            self.sha256.update(data)
            self._output.write(data)
        return len(data)
