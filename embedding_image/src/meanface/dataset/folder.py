"""Photos in a local folder tree."""

from __future__ import annotations

import builtins
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from meanface.dataset.content import START
from meanface.dataset.folder_photos import inside, is_hub_cache, not_a_file, opened
from meanface.dataset.kinds import (
    BROKEN_LINKS,
    HUB_BLOBS,
    LINKED_FOLDERS,
    OTHER,
    RESULTS,
    UNKNOWN,
    Kind,
    folder_passed_over,
    library_name,
    passed_over,
    passed_over_by_content,
)
from meanface.dataset.passed_over import Account
from meanface.dataset.photos import PhotoUnreadable, printable, reason
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.results import in_folder
from meanface.errors import DatasetNotFound, StorageUnavailable
from meanface.storage.version import of_stat

MOST_OPEN = 200
"""folders that are held open while they are listed; those further down are read at once"""

_LASTING = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""errors of a folder itself; others are trouble around it, and may pass"""


class _Entries(Protocol):
    """What `os.scandir` gives."""

    def __next__(self) -> os.DirEntry[str]: ...

    def close(self) -> None:
        """Close the folder."""


class _Read:
    """The entries of a folder that was read at once."""

    def __init__(self, folder: str) -> None:
        with os.scandir(folder) as entries:
            self._entries = iter(list(entries))

    def __next__(self) -> os.DirEntry[str]:
        return next(self._entries)

    def close(self) -> None:
        """Nothing is open."""


class _Open(NamedTuple):
    """A folder that is being listed."""

    entries: _Entries
    kind: Kind | None
    """as which everything in it is passed over"""


class FolderDataset:
    """Every photo below a folder.

    A linked photo counts while its target stays inside the folder. Linked folders are not entered: what they hold
    would count twice, or lie elsewhere, or never end. Of a file without a known suffix, the first bytes decide.

    Parameters
    ----------
    path
        the folder
    url
        what people call it; the folder's own path unless given
    """

    def __init__(self, path: Path, url: str | None = None) -> None:
        self._root = os.path.realpath(path)
        self._url = url or self._root
        self._library = library_name(self._root)
        self._account = Account()

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        return Source(
            url=printable(self._url)[0],
            kind="folder",
            root=self._root,
            passed_over=self._account.records(),
        )

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, in the order of the file system.

        Only folders from the root down to the current one are held open, so memory is bounded by the depth of the
        tree, whatever its width; and not more than `MOST_OPEN` of them, whatever its depth.
        """
        self._account = Account()
        path: builtins.list[_Open] = []
        try:
            path.append(_Open(os.scandir(self._root), RESULTS if in_folder(self._root, self._root) else None))
        except OSError as error:
            raise DatasetNotFound(f"dataset {self._url!r} cannot be listed: {reason(error)}") from error
        try:
            while path:
                entry = self._next(path[-1].entries)
                if entry is None:
                    path.pop().entries.close()
                elif ref := self._photo(entry, path):
                    yield ref
        finally:
            for folder in path:
                folder.entries.close()

    def _next(self, entries: _Entries) -> os.DirEntry[str] | None:
        try:
            return next(entries, None)
        except OSError as error:  # the folder broke off in the middle, as network file systems do
            raise self._unavailable(error) from error

    def _photo(self, entry: os.DirEntry[str], path: builtins.list[_Open]) -> PhotoRef | None:
        """The photo, or a folder in its place that cannot be listed; of anything else nothing. A folder is entered."""
        name, kind = self._relative(entry), path[-1].kind
        try:
            if entry.is_dir(follow_symlinks=False):
                kind = kind or folder_passed_over(self._library + name) or kind_by_marker(self._root, entry.path)
                scan = os.scandir if len(path) < MOST_OPEN else _Read
                path.append(_Open(scan(entry.path), kind))
                return None
            kind = kind or passed_over(self._library + name)
            link = _kind_of_link(entry)
            if kind or link is LINKED_FOLDERS:  # a photo's link to nowhere is a photo that is lost
                kind = link or kind
            if kind is UNKNOWN:
                kind = self._kind_by_content(entry)
            if kind is None:
                return self._ref(entry)
            self._account.add(kind, name)
        except OSError as error:
            if error.errno not in _LASTING:
                raise self._unavailable(error) from error
            if kind := kind or folder_passed_over(self._library + name):
                self._account.add(kind, f"{name}/")
                return None
            name, refusal = printable(name)  # it counts as a photo that failed: what it holds is unknown
            return PhotoRef(name, 0, refusal=refusal or f"the folder cannot be listed: {reason(error)}")
        return None

    def _kind_by_content(self, entry: os.DirEntry[str]) -> Kind | None:
        """The kind of a file without a known suffix; None for a photo."""
        try:
            if not entry.is_file():  # before it is opened: a named pipe would wait for a writer
                return OTHER
            file = opened(self._root, entry.path)
            try:
                return passed_over_by_content(os.read(file, START))
            finally:
                os.close(file)
        except (OSError, PhotoUnreadable):
            return UNKNOWN

    def _unavailable(self, error: OSError) -> StorageUnavailable:
        return StorageUnavailable(f"dataset {self._url!r}: a folder was not listed to its end: {reason(error)}")

    def _name(self, entry: os.DirEntry[str]) -> tuple[str, str]:
        return printable(self._relative(entry))

    def _relative(self, entry: os.DirEntry[str]) -> str:
        return entry.path[len(self._root) :].lstrip("/")

    def _ref(self, entry: os.DirEntry[str]) -> PhotoRef:
        name, refusal = self._name(entry)
        try:
            if entry.is_symlink():
                inside(self._root, entry.path)
            found = entry.stat()
        except PhotoUnreadable as refused:
            return PhotoRef(name, 0, refusal=refusal or str(refused))
        except OSError as error:
            return PhotoRef(name, 0, refusal=refusal or f"cannot be read: {reason(error)}")
        refusal = refusal or not_a_file(found.st_mode)
        return PhotoRef(name, found.st_size, refusal=refusal, version="" if refusal else of_stat(found))


def _kind_of_link(entry: os.DirEntry[str]) -> Kind | None:
    """The kind of a link that is not a photo's; None for what is no link, or one to a file."""
    try:
        if not entry.is_symlink():
            return None
        return LINKED_FOLDERS if stat.S_ISDIR(entry.stat().st_mode) else None
    except OSError:  # to nowhere, in a circle, or behind a closed folder
        return BROKEN_LINKS


def kind_by_marker(root: str, folder: str) -> Kind | None:
    """The kind of all files in a folder whose neighbours or contents mark it; None where their own names decide."""
    path = Path(folder)
    if path.name == "blobs" and is_hub_cache(path.parent):
        return HUB_BLOBS
    return RESULTS if in_folder(root, folder) else None
