"""Members of a tar archive, from a stream that is read forward or a file that can seek.

`tarfile` parses the headers only: its own loop takes a damaged header in the middle for the end of
the archive, holds every member in memory, and reads headers of any declared size.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial

from meanface.dataset.archive.members import LARGEST_SIZE, NO_END_MARKER, Damage, EndsEarly, FollowedByOther, Member
from meanface.dataset.archive.raw import RawFile
from meanface.dataset.content import Content, identify

BLOCK = tarfile.BLOCKSIZE
CHUNK = 1 << 20
LARGEST_HEADER = 1 << 20
"""most bytes of a header with a long name; a larger one is hostile or damaged"""
LONGEST_TAIL = 1 << 26
"""most bytes behind the last member that are read to verify the compression's own checksum"""


class NoArchive(Exception):
    """The file is not a tar archive at all; `content` is what it is, decompressed."""

    def __init__(self, content: Content) -> None:
        super().__init__(str(content))
        self.content = content


class TarStream:
    """Reads forward, counts its position, and raises `Damage` for errors of a decompressor.

    `size` is that of a file that can seek; None for a stream. `count` is called with the bytes of
    each read, headers and skipped members included, and may raise an error.
    """

    def __init__(self, file: RawFile, size: int | None = None, count: Callable[[int], object] = lambda _: None) -> None:
        self._file, self._position, self._count = file, 0, count
        self._returned = b""
        self.size = size
        self.short = False
        """whether the last read gave fewer bytes than were asked for"""

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def read(self, size: int) -> bytes:
        """Read bytes of a header, for `tarfile`."""
        if not 0 <= size <= LARGEST_HEADER:
            raise Damage(f"is damaged (a header declares {size} bytes)")
        return self.take(size)

    def take(self, size: int) -> bytes:
        """Read `size` bytes; fewer only at the end."""
        if self._returned:
            data, self._returned = self._returned, b""
            self._position += len(data)
            return data
        try:
            data = self._file.read(size)
        except EOFError as cut:
            raise EndsEarly from cut
        except (OSError, zlib.error, lzma.LZMAError) as damaged:
            raise Damage(f"is damaged ({damaged})") from damaged
        self._count(len(data))
        self._position += len(data)
        self.short = len(data) < size
        return data

    def give_back(self, block: bytes) -> None:
        """Let the next `take` return this block, which was just read."""
        self._returned = block
        self._position -= len(block)

    def skip_to(self, position: int) -> None:
        """Move forward, to the end of the stream at most."""
        if self.size is not None:
            self._position = min(position, self.size)
            self._file.seek(self._position)
        while self._position < position and self.take(min(CHUNK, position - self._position)):
            pass

    def verify_tail(self) -> None:
        """Read to the end, where gzip, bzip2 and xz have their checksums."""
        end = self._position + LONGEST_TAIL
        while self._position < end and self.take(CHUNK):
            pass


class TarMembers:
    """Iterates over the files of a tar archive, without its folders.

    Iterating raises `NoArchive` if the first header is none, and `Damage` after the members before
    the damage.
    """

    def __init__(self, stream: TarStream) -> None:
        self._stream = stream
        self.notice = ""
        """what is wrong with the end of a complete archive"""

    def __iter__(self) -> Iterator[Member]:
        """Every file, also of concatenated archives, as `tar --ignore-zeros` reads them."""
        empty = io.BytesIO(bytes(2 * BLOCK))
        with tarfile.TarFile(fileobj=empty, encoding="utf-8", errors="surrogateescape") as parser:
            parser.fileobj = self._stream  # type: ignore[assignment]  # parsing uses only `read` and `tell`
            while info := self._header(parser):
                if not info.isdir():
                    yield self._member(info)
                data_end = info.offset_data + (0 if refusal_of(info) or info.isdir() else info.size)
                self._stream.skip_to(parser.offset)
                if self._stream.tell() < data_end:
                    raise EndsEarly
        if self._stream.size is None:
            try:
                self._stream.verify_tail()
            except FollowedByOther as other:
                self.notice = str(other)

    def _header(self, parser: tarfile.TarFile) -> tarfile.TarInfo | None:
        first = self._stream.tell() == 0
        block = self._stream.take(BLOCK)
        ended = len(block) == BLOCK and not any(block)
        if ended:
            block = self._behind_end()
            parser.pax_headers = {}  # of the previous archive
        if not block:
            if first and not ended:
                raise NoArchive(identify(b""))
            self.notice = self.notice or ("" if ended else NO_END_MARKER)
            return None
        self._stream.give_back(block)
        try:
            info = tarfile.TarInfo.fromtarfile(parser)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as damaged:
            if first and self._stream.tell() <= BLOCK:
                raise NoArchive(identify(block)) from damaged
            raise (EndsEarly() if self._stream.short else Damage(f"is damaged ({damaged})")) from damaged
        if info.size < 0 or parser.offset < self._stream.tell():
            raise Damage(f"is damaged (a header declares {info.size} bytes)")
        return info

    def _behind_end(self) -> bytes:
        """The first header behind an end marker; empty if there is none.

        An archive ends with two blocks of zeros. A single one that no header follows is itself a
        damaged header.
        """
        start = self._stream.tell()
        block = b""
        try:
            while self._stream.tell() < start + LONGEST_TAIL:
                block = self._stream.take(BLOCK)
                if len(block) < BLOCK or any(block):
                    break
            if not any(block):
                return b""
            tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except FollowedByOther as other:
            self.notice = str(other)
            return b""
        except (tarfile.HeaderError, ValueError) as none:
            if self._stream.tell() - start <= BLOCK and len(block) == BLOCK:
                raise Damage("is damaged (zeros in the place of a header)") from none
            self.notice = str(FollowedByOther())
            return b""
        return block

    def _member(self, info: tarfile.TarInfo) -> Member:
        start = info.offset_data
        refusal = refusal_of(info)
        if not refusal and self._stream.size is not None and start + info.size > self._stream.size:
            refusal = EndsEarly().inside_photo()
        return Member(info.name, min(info.size, LARGEST_SIZE), refusal, start, partial(self._chunks, start, info.size))

    def _chunks(self, start: int, size: int) -> Iterator[bytes]:
        end = start + size
        while self._stream.tell() < end:
            chunk = self._stream.take(min(CHUNK, end - self._stream.tell()))
            if not chunk:
                raise EndsEarly
            yield chunk


def refusal_of(info: tarfile.TarInfo) -> str:
    """Why a member is not read; empty for a regular file."""
    if info.islnk():
        return f"a hard link (to {info.linkname!r}), not a file: pack with `tar --hard-dereference`"
    if info.issym():
        return f"a link (to {info.linkname!r}), not a file: pack with `tar --dereference`"
    if info.ischr() or info.isblk():
        return "a device, not a file"
    if info.isfifo():
        return "a named pipe, not a file"
    if info.issparse() or info.type == tarfile.GNUTYPE_SPARSE:
        return "a sparse file, which photos are not"
    return "" if info.isreg() else f"neither file nor folder (type {info.type!r})"
