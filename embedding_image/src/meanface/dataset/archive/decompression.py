"""Decompress gzip, bzip2 and xz files forward, within bounds of memory.

A file may have several streams, as `cat` joins them, with zeros between them. Anything else behind
the last stream raises `FollowedByOther`.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from typing import IO, NamedTuple, cast

from meanface.dataset.archive.members import Damage, FollowedByOther
from meanface.dataset.archive.raw import RawFile

MOST_MEMORY = 1 << 27
"""bytes for the xz decompressor; `xz -9`, the largest preset, needs half as many"""
CHUNK = 1 << 16


def decompressed(file: RawFile) -> RawFile:
    """Decompress a file if its first bytes are those of a compressed file.

    Reading raises `OSError` or an error of the decompressor for damage, `EOFError` for a file that
    ends early, `Damage` for one that takes more than `MOST_MEMORY`, and `FollowedByOther`.
    """
    start = file.read(8)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(RawFile, _Gzip(file))
    for form in (_BZIP2, _XZ):
        if start.startswith(form.magic):
            return cast(RawFile, io.BufferedReader(_Streams(file, form), CHUNK))
    return file


class _Gzip(gzip.GzipFile):
    def __init__(self, file: RawFile) -> None:
        super().__init__(fileobj=cast(IO[bytes], file), mode="rb")

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except gzip.BadGzipFile as bad:
            if "Not a gzipped file" in str(bad):
                raise FollowedByOther from bad
            raise


class _Form(NamedTuple):
    magic: bytes
    decompressor: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]


_BZIP2 = _Form(b"BZh", bz2.BZ2Decompressor)
_XZ = _Form(b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY))


class _Streams(io.RawIOBase):
    """The streams of a file, read as one."""

    def __init__(self, file: RawFile, form: _Form) -> None:
        self._file, self._form = file, form
        self._stream = form.decompressor()
        self._read = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes nothing else
        data = b""
        while not data and (not self._stream.eof or self._another()):
            if self._stream.needs_input and not self._read:
                self._read = self._file.read(CHUNK)
                if not self._read:
                    raise EOFError("the compressed stream ends early")
            try:
                data, self._read = self._stream.decompress(self._read, len(buffer)), b""
            except lzma.LZMAError as error:
                if str(error) == "Memory usage limit exceeded":
                    raise Damage(
                        f"takes more than {MOST_MEMORY >> 20} MiB of memory to decompress (`xz -9`: 65)"
                    ) from error
                raise
        buffer[: len(data)] = data
        return len(data)

    def _another(self) -> bool:
        """Begin the next stream, perhaps behind zeros; whether there is one."""
        magic, behind = self._form.magic, self._stream.unused_data.lstrip(b"\0")
        while len(behind) < len(magic) and (read := self._file.read(CHUNK)):
            behind = (behind + read).lstrip(b"\0")
        if behind.startswith(magic):
            self._stream, self._read = self._form.decompressor(), behind
        elif behind:
            raise FollowedByOther
        return not self._stream.eof
