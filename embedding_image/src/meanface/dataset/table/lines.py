"""Lines of a text file: plain or compressed, in UTF-8, UTF-16 or UTF-32, within bounds of memory."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from meanface.dataset.content import START
from meanface.dataset.scratch import scratch

LONGEST_ROW = 1 << 20
"""characters"""
BOMB_RATIO, BOMB_BYTES = 200, 1 << 28
"""Limit of what a list expands to, as a multiple of its own bytes plus a constant."""
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class DamagedList(Exception):
    """The rest of the list cannot be read; the message has the reason."""


@contextmanager
def decompressed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that may be compressed with gzip or Zstandard, whatever its name.

    Some servers compress a list (`Content-Encoding`) although the request forbids it. Raises
    `DamagedList` for damage in what is read within the block.
    """
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start.startswith(GZIP):
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb"))
        elif start == ZSTD:
            import pyarrow as pa

            stream = cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"))
        else:
            stream = file
        with stream:
            try:
                yield stream
            except (EOFError, zlib.error, gzip.BadGzipFile) as damage:
                raise DamagedList(str(damage)) from damage
            except OSError as error:
                if error.errno:  # of the system, not of the file
                    raise
                raise DamagedList(str(error)) from error


class Lines:
    """The lines of a text file, each with its end; bounds a line, a row of lines, and the whole.

    `start` has the first bytes, decompressed. Iterating raises `DamagedList`.
    """

    def __init__(self, stream: IO[bytes], file_bytes: int) -> None:
        buffered = io.BufferedReader(cast(io.RawIOBase, _Raw(stream)), 1 << 16)
        self.start = buffered.peek(START)[:START]
        encoding = encoding_of(self.start)
        errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
        self._file = io.TextIOWrapper(buffered, encoding=encoding, errors=errors, newline="")
        self._encoding, self._left, self._row = encoding, BOMB_RATIO * file_bytes + BOMB_BYTES, 0

    def end_row(self) -> None:
        """Begin a row of several lines."""
        self._row = 0

    def __iter__(self) -> Iterator[str]:
        while line := self.readline():
            yield line

    def readline(self) -> str:
        """The next line; empty at the end."""
        try:
            line = self._file.readline(LONGEST_ROW)
        except UnicodeError as damage:
            raise DamagedList(f"it is not in {self._encoding.upper()}: {damage}") from damage
        self._row += len(line)
        self._left -= len(line)
        if self._row >= LONGEST_ROW:
            raise DamagedList(f"a row has more than {LONGEST_ROW:,} characters")
        if self._left < 0:
            raise DamagedList(bomb())
        return line


class _Raw(io.RawIOBase):
    """A stream as `io` has them; Arrow's are of another kind."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes nothing else
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def bomb() -> str:
    """The reason for refusing a list that expands too far."""
    return (
        f"it expands to more than {BOMB_RATIO} times its own bytes, as a decompression bomb does: split it into "
        "several lists"
    )


def encoding_of(start: bytes) -> str:
    r"""The encoding of a text by its byte order mark, or by the zeros of UTF-16 without one.

    >>> encoding_of(b"url\n"), encoding_of(b"\xff\xfeu\0r\0"), encoding_of(b"\0u\0r\0l\0\n")
    ('utf-8', 'utf-16', 'utf-16-be')
    """
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    first = start[: len(start) & ~1][:64]
    even, odd = first[::2], first[1::2]
    if len(first) >= 4 and any(first):
        if not any(odd) and all(even):
            return "utf-16-le"
        if not any(even) and all(odd):
            return "utf-16-be"
    return "utf-8"


def unpacked(path: Path, to: Path) -> Path:
    """Decompress a file that has to be read at any place; the file itself if it is not compressed."""
    with path.open("rb") as file:
        if not file.read(4).startswith((GZIP, ZSTD)):
            return path
    left = BOMB_RATIO * path.stat().st_size + BOMB_BYTES
    with decompressed(path) as stream, to.open("wb") as output:
        while data := stream.read(1 << 20):
            left -= len(data)
            if left < 0:
                raise DamagedList(bomb())
            with scratch():
                output.write(data)
    return to
