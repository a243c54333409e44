"""Members of an archive of any format, and the rules for their names."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from meanface.dataset.photos import printable

LARGEST_SIZE = 2**63 - 1
"""int64, as sizes are stored; an archive may declare more"""
LONGEST_NAME = 4096
"""characters, as of a path on Linux: a small archive can declare a gigabyte of names"""

_ABSOLUTE_ON_WINDOWS = re.compile(r"\\|[A-Za-z]:[/\\]")
NO_END_MARKER = "has no end marker: it may be truncated"


class Damage(Exception):
    """The archive is damaged here, and members behind are lost; the message says how."""

    def behind(self, last: str) -> str:
        """The damage and the last good member before it."""
        return f"{self} {f'behind {last!r}, its last good member' if last else 'in its first member'}"

    def inside_photo(self) -> str:
        """The refusal of the photo that is damaged."""
        return f"the archive {self} inside this photo"


class EndsEarly(Damage):
    """The archive is truncated."""

    def __init__(self) -> None:
        super().__init__("ends early")


class FollowedByOther(Damage):
    """Data that are no archive follow the end of an archive."""

    def __init__(self) -> None:
        super().__init__("is followed by data that are no archive, which were not read")


class MemberDamage(Exception):
    """One member cannot be read, but those behind it can."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    """as the archive has it"""
    size: int
    """declared bytes"""
    refusal: str
    """why it is not read; empty for a regular file"""
    offset: int
    """first byte of its data in a tar file; -1 in a zip file"""
    chunks: Callable[[], Iterator[bytes]]
    """reads its bytes; raises `Damage` or `MemberDamage`"""


def content(member: Member) -> bytes:
    """All bytes of a small member; empty if it cannot be read."""
    if member.refusal:
        return b""
    try:
        return b"".join(member.chunks())
    except MemberDamage:
        return b""


def checked_name(name: str) -> tuple[str, str]:
    r"""A member's name without `./`, and a refusal if unpacking it would leave the folder.

    >>> checked_name("./people/ada.jpg")
    ('people/ada.jpg', '')
    >>> checked_name("../../etc/ada.jpg")
    ('../../etc/ada.jpg', "its name leads out of the archive: '..'")
    >>> checked_name("C:/ada.jpg")
    ('C:/ada.jpg', 'its name leads out of the archive: an absolute path')

    Nothing is unpacked under these names here, but people may unpack a run's shards, also on
    Windows.
    """
    name, refusal = printable(name)
    if len(name) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        return f"{name[:100]}...#{digest}{PurePosixPath(name).suffix[:10]}", f"its name has {len(name):,} characters"
    if "\0" in name:
        return name.replace("\0", "\\0"), refusal or "its name contains a NUL character"
    while name.startswith("./"):
        name = name[2:].lstrip("/") if name[2:3] == "/" else name[2:]
    if posixpath.isabs(name) or _ABSOLUTE_ON_WINDOWS.match(name):
        return name, refusal or "its name leads out of the archive: an absolute path"
    if ".." in re.split(r"[/\\]", name):
        return name, refusal or "its name leads out of the archive: '..'"
    return name, refusal
