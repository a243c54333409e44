"""Members of a zip archive."""

from __future__ import annotations

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from meanface.dataset.archive.members import Member, MemberDamage
from meanface.dataset.archive.raw import RawFile

CHUNK = 1 << 20
MEMBER_BYTES = 512
"""counted for each member besides its own bytes, as for the header of a tar archive"""
_ENCRYPTED, _UTF8 = 0x1, 0x800
_DOS = 0
_READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "xz", 96: "a method for JPEG", 98: "PPMd", 99: "AES encryption"}
_END_BYTES, _LONGEST_END = 22, 22 + 0xFFFF
_ZIP64 = 0xFFFF
"""in place of a number that is in the Zip64 record"""
_SEPARATOR = re.compile(r"(?<![^\0-\x7f])\\")
"""a backslash that is not the second byte of a character, as in Shift JIS and GBK"""
_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, OSError),
    UnicodeDecodeError,  # a name in the member's own header
)


class ZipMembers:
    """Iterates over the files of a zip archive, in the order of its directory.

    The directory is held in memory: about 0.6 kB per member. `count` is called with the bytes of
    each member, read or not, and may raise an error.
    """

    def __init__(self, archive: zipfile.ZipFile, count: Callable[[int], object] = lambda _: None) -> None:
        self._archive, self._count = archive, count

    def __iter__(self) -> Iterator[Member]:
        for info in self._archive.filelist:
            self._count(MEMBER_BYTES + info.file_size)
            name = name_of(info)
            if not name.endswith("/"):  # `is_dir` fails on an empty name
                yield Member(name, info.file_size, refusal_of(info), -1, partial(self._chunks, info))

    def _chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Read a member: at most the declared bytes, whose checksum is verified at the end."""
        try:
            with self._archive.open(info) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except _DAMAGES as damaged:
            raise MemberDamage(f"damaged in the archive: {damaged}") from damaged


def name_of(info: zipfile.ZipInfo) -> str:
    """The member's name, with `/` between its folders."""
    name, utf8 = info.filename, info.flag_bits & _UTF8
    if not utf8:  # macOS writes UTF-8 without the flag, and `zipfile` reads it as code page 437
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    if info.create_system != _DOS:
        return name
    # Some writers on Windows (PowerShell 5) write a backslash instead, against the specification.
    return name.replace("\\", "/") if utf8 else _SEPARATOR.sub("/", name)


def refusal_of(info: zipfile.ZipInfo) -> str:
    """Why a member is not read; empty for a regular file."""
    if info.flag_bits & _ENCRYPTED:
        return "encrypted in the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link, not a file"
    if info.compress_type not in _READ:
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"compressed by {method}, which is not read: pack it again with Deflate"
    return ""


def open_zip(file: RawFile) -> zipfile.ZipFile:
    """Open an archive and read its directory; raises `ValueError` with advice if damaged."""
    try:
        if _is_spanned(file):
            raise ValueError("it is one part of a spanned archive: join the parts with `zip -s 0 IN.zip --out OUT.zip`")
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, OSError) as damaged:
        raise ValueError(
            f"{damaged}. Its end may be missing: download it again, or join its parts with `cat IN.zip.* > OUT.zip`"
        ) from damaged


def is_zip(file: RawFile) -> bool:
    """Whether a file is a zip archive, also a self-extracting one."""
    start = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    if start[:4] in (b"PK\3\4", b"PK\5\6", b"PK\7\x08", b"PK00"):
        return True
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return bool(_end_record(file))
    return False


def _is_spanned(file: RawFile) -> bool:
    start, end = file.read(4), _end_record(file)
    file.seek(0)
    return int.from_bytes(end[4:6], "little") not in (0, _ZIP64) if end else start == b"PK\7\x08"


def _end_record(file: RawFile) -> bytes:
    """The end of the central directory (APPNOTE.TXT, section 4.3.16), if it ends the file.

    In a tar archive whose last member is a zip archive, it does not. Empty if there is none.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_END))
    tail = file.read(_LONGEST_END)
    file.seek(0)
    at = tail.rfind(b"PK\5\6")
    whole = at >= 0 and at + _END_BYTES + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)
    return tail[at:] if whole else b""
