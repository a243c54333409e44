"""Match the names of photos with a pattern, folder by folder. Pure."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from meanface.dataset.address import ARCHIVE_SUFFIXES, expand_braces, has_wildcards, wildcards_of
from meanface.dataset.kinds import PHOTO_SUFFIXES
from meanface.dataset.table.form import LIST_SUFFIXES
from meanface.errors import SettingsError

MOST_ALTERNATIVES = 1000
"""numbers of a part that has braces and wildcards: each is an expression of its own"""


class PhotoPattern:
    """A pattern for names below a folder.

    `*`, `?` and `[...]` match within a folder's or a file's name, and `**/` stands for any number
    of folders. `{008..010}` stands for numbers. The suffix matches in capitals and small letters, as
    that of every photo. Unicode's forms of a name are equal. `wildcards` are those that the pattern
    has; other ones are ordinary letters.

    >>> march = PhotoPattern("2026-{03..04}/**/*.jpg")
    >>> [march.matches(name) for name in ("2026-03/a.jpg", "2026-04/x/y/b.JPG", "2026-03/a.png", "2025-03/a.jpg")]
    [True, True, False, False]
    >>> [march.may_hold(folder) for folder in ("2026-03", "2026-03/x", "2025-03")]
    [True, True, False]
    """

    def __init__(self, pattern: str, wildcards: str = "*?[") -> None:
        *folders, last = pattern.split("/")
        self._parts = [None if part == "**" else _matcher(part, wildcards) for part in (*folders, _folded(last))]
        self._last = len(folders)
        self._reached = lru_cache(4096)(self._after)
        self.start = re.split(r"[*?\[{]", pattern)[0]
        """letters that every name which matches begins with"""

    def matches(self, name: str) -> bool:
        """Whether a file's name matches."""
        base = name.rpartition("/")[2]
        folder = name[: len(name) - len(base)]
        last = self._parts[self._last]
        return last is not None and self._last in self._reached(folder) and bool(last(_folded(base)))

    def may_hold(self, folder: str) -> bool:
        """Whether files in a folder, or below it, may match."""
        return bool(self._reached(f"{folder}/"))

    def _after(self, folder: str) -> frozenset[int]:
        """The parts of the pattern that may come after a folder, which ends in a slash unless it is empty."""
        reached = self._with_next({0})
        for name in folder.split("/")[:-1]:
            passed = set()
            for at in reached - {self._last}:
                part = self._parts[at]
                if part is None or part(unicodedata.normalize("NFC", name)):
                    passed.add(at if part is None else at + 1)
            reached = self._with_next(passed)
        return reached

    def _with_next(self, reached: set[int]) -> frozenset[int]:
        """Add the parts behind `**`, which may stand for no folder."""
        for at in sorted(reached):
            after = at
            while self._parts[after] is None:
                after += 1
                reached.add(after)
        return frozenset(reached)


def is_pattern_of_photos(address: str) -> bool:
    """Whether the files that a pattern matches have a photo's suffix.

    >>> [is_pattern_of_photos(f"photos/*{suffix}") for suffix in (".JPG", ".jp*g", ".[jJ]pg", ".t*", ".tar", "")]
    [True, True, True, False, False, False]
    """
    _, dot, suffix = address.rpartition("/")[2].lower().rpartition(".")
    if not dot or (has_wildcards(suffix, "{")):
        return False
    matching = _matcher(f".{suffix}", wildcards_of(address))
    return any(map(matching, PHOTO_SUFFIXES)) and not any(map(matching, (*ARCHIVE_SUFFIXES, *LIST_SUFFIXES)))


def _matcher(part: str, wildcards: str) -> Callable[[str], object]:
    """Make a function that matches a folder's or a file's name with a part of a pattern."""
    if "**" in part:
        raise SettingsError(
            f"dataset: ** stands for folders, and has a slash before and behind it, unlike in {part!r}: write **/*.jpg"
        )
    part = unicodedata.normalize("NFC", part)
    expanded = expand_braces(part)
    if set(wildcards).isdisjoint(part):
        return frozenset(expanded).__contains__
    if len(expanded) > MOST_ALTERNATIVES:
        raise SettingsError(
            f"dataset: {part!r} stands for {len(expanded):,} patterns, more than {MOST_ALTERNATIVES:,}: "
            "use * instead of braces"
        )
    if "[" not in wildcards:
        expanded = [one.replace("[", "[[]") for one in expanded]
    if "?" not in wildcards:
        expanded = [one.replace("?", "[?]") for one in expanded]
    return re.compile("|".join(map(fnmatch.translate, expanded)) or "(?!)").match


def _folded(base: str) -> str:
    """A file's name with its suffix in small letters, in Unicode's composed form."""
    stem, dot, suffix = base.rpartition(".")
    return unicodedata.normalize("NFC", f"{stem}{dot}{suffix.lower()}")
