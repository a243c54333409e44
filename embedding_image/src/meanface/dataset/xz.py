"""xz, decompressed within bounds: an archive says itself how much memory its decompressor takes."""

from __future__ import annotations

import io
import lzma
from typing import IO

from meanface.dataset.members import Damage
from meanface.dataset.raw import RawFile

MAGIC = b"\xfd7zXZ\0"
MOST_MEMORY = 1 << 27
"""bytes for a decompressor; `xz -9`, whose dictionary is the largest of the presets, needs half as many"""
CHUNK = 1 << 16


def xz_stream(file: RawFile) -> IO[bytes]:
    """What an xz file holds, read forward.

    Reading raises `LZMAError` for what is damaged, `EOFError` for what ends early, and `Damage` for what takes more
    than `MOST_MEMORY`.
    """
    return io.BufferedReader(_Streams(file), CHUNK)


class _Streams(io.RawIOBase):
    """The xz streams of a file, one behind the other, as one; what else follows them is left alone."""

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._stream = _decompressor()
        self._read = b""

    def readable(self) -> bool:
        """Buffers ask."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the one that reads it has only these
        """Fill a part of the buffer; 0 at the end."""
        data = b""
        while not data and (not self._stream.eof or self._another()):
            if self._stream.needs_input and not self._read:
                self._read = self._file.read(CHUNK)
                if not self._read:
                    raise EOFError("the xz stream ends early")
            data, self._read = _decompressed(self._stream, self._read, len(buffer)), b""
        buffer[: len(data)] = data
        return len(data)

    def _another(self) -> bool:
        """Whether another stream follows, perhaps behind zeros."""
        behind = self._stream.unused_data.lstrip(b"\0")
        while len(behind) < len(MAGIC) and (read := self._file.read(CHUNK)):
            behind = (behind + read).lstrip(b"\0")
        if behind.startswith(MAGIC):
            self._stream, self._read = _decompressor(), behind
        return not self._stream.eof


def _decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)


def _decompressed(stream: lzma.LZMADecompressor, data: bytes, most: int) -> bytes:
    try:
        return stream.decompress(data, most)
    except lzma.LZMAError as error:
        if str(error) == "Memory usage limit exceeded":
            raise Damage(f"takes more than {MOST_MEMORY >> 20} MiB of memory to decompress (`xz -9`: 65)") from error
        raise
