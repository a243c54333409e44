"""Members of a zip archive."""

from __future__ import annotations

import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO

from meanface.dataset.members import Member, MemberDamage

CHUNK = 1 << 20
MEMBER_BYTES = 512
"""counted for each member besides its own bytes, as a tar archive has them in its header"""
_ENCRYPTED, _UTF8 = 0x1, 0x800
_DOS = 0
_SEPARATOR = re.compile(r"(?<![^\0-\x7f])\\")
"""a backslash that is not the second byte of a letter, as in Shift JIS and GBK"""
_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, OSError),
    UnicodeDecodeError,  # a name in the member's own header
)


class ZipMembers:
    """Walks over the files of a zip archive, in the order of its directory.

    The directory is held in memory: about 0.6 kB per member.

    Parameters
    ----------
    counted
        is told the bytes of each member, read or not; may refuse to go on
    """

    def __init__(self, archive: zipfile.ZipFile, counted: Callable[[int], object] = lambda _: None) -> None:
        self._archive, self._counted = archive, counted

    def __iter__(self) -> Iterator[Member]:
        for info in self._archive.filelist:
            self._counted(MEMBER_BYTES + info.file_size)
            name = name_of(info)
            if not name.endswith("/"):  # `is_dir` trips over a name that is empty
                yield Member(name, info.file_size, refusal_of(info), -1, partial(self._chunks, info))

    def _chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """The member's bytes: never more than declared, and its checksum is compared at the end."""
        try:
            with self._archive.open(info) as file:
                yield from _pieces(file)
        except _DAMAGES as damaged:
            raise MemberDamage(f"damaged in the archive: {damaged}") from damaged


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def name_of(info: zipfile.ZipInfo) -> str:
    r"""The member's name, with `/` between its folders.

    Some writers on Windows (PowerShell 5) put a backslash there, against the format's own specification.

    >>> windows = zipfile.ZipInfo("ann/a.jpg")
    >>> windows.create_system, windows.filename = 0, "ann\\a.jpg"
    >>> name_of(windows)
    'ann/a.jpg'
    """
    if info.create_system != _DOS or "\\" not in info.filename:
        return info.filename
    return info.filename.replace("\\", "/") if info.flag_bits & _UTF8 else _SEPARATOR.sub("/", info.filename)


def refusal_of(info: zipfile.ZipInfo) -> str:
    """Why a member is not read; empty for a regular file."""
    if info.flag_bits & _ENCRYPTED:
        return "encrypted in the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link, not a file"
    return ""
