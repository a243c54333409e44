"""Photos in a local folder tree."""

from __future__ import annotations

import builtins
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from meanface.dataset.account import Account
from meanface.dataset.kinds import BROKEN_LINKS, LINKED_FOLDERS, Kind, folder_passed_over, passed_over
from meanface.dataset.photos import (
    PhotoSource,
    PhotoUnreadable,
    changed,
    printable,
    reading,
    reason,
    replaced,
    too_large,
)
from meanface.errors import DatasetNotFound, StorageUnavailable
from meanface.fileversion import of_stat
from meanface.manifest import PhotoRef, Source

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_LASTING = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""errors of a folder itself; others are trouble around it, and may pass"""


class _Entries(Protocol):
    """What `os.scandir` gives."""

    def __next__(self) -> os.DirEntry[str]: ...

    def close(self) -> None:
        """Close the folder."""


class FolderDataset:
    """Every photo below a folder.

    A linked photo counts while its target stays inside the folder. Linked folders are not entered: what they hold
    would count twice, or lie elsewhere, or never end.

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

        Only the folders from the root down to the current one are held open, so memory is bounded by the depth of the
        tree, whatever its width.
        """
        self._account = Account()
        path: builtins.list[_Entries] = []
        try:
            path.append(os.scandir(self._root))
        except OSError as error:
            raise DatasetNotFound(f"dataset {self._url!r} cannot be listed: {reason(error)}") from error
        try:
            while path:
                entry = self._next(path[-1])
                if entry is None:
                    path.pop().close()
                elif ref := self._photo(entry, path):
                    yield ref
        finally:
            for entries in path:
                entries.close()

    def _next(self, entries: _Entries) -> os.DirEntry[str] | None:
        try:
            return next(entries, None)
        except OSError as error:  # the folder broke off in the middle, as network file systems do
            raise self._unavailable(error) from error

    def _photo(self, entry: os.DirEntry[str], path: builtins.list[_Entries]) -> PhotoRef | None:
        """The photo, or a folder in its place that cannot be listed; of anything else nothing. A folder is entered."""
        try:
            if entry.is_dir(follow_symlinks=False):
                path.append(os.scandir(entry.path))
            elif kind := passed_over(self._relative(entry)):
                self._account.add(_kind_of_link(entry) or kind, self._relative(entry))
            else:
                return self._ref(entry)
        except OSError as error:
            if error.errno not in _LASTING:
                raise self._unavailable(error) from error
            if kind := folder_passed_over(self._relative(entry)):
                self._account.add(kind, f"{self._relative(entry)}/")
                return None
            name, refusal = self._name(entry)  # it counts as a photo, as nobody knows what it has
            return PhotoRef(name, 0, refusal=refusal or f"the folder cannot be listed: {reason(error)}")
        return None

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


class FolderPhotos(PhotoSource):
    """Reads photos below a local folder."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:
        with reading():
            # Without O_NONBLOCK, opening a named pipe that took the photo's place would wait for a writer.
            path = inside(self._root, f"{self._root}/{ref.name}")
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return _whole(file, ref, max_bytes)
            finally:
                os.close(file)


def _whole(file: int, ref: PhotoRef, max_bytes: int) -> bytes:
    """All bytes of an open file that should be the photo."""
    found = os.fstat(file)
    if refusal := not_a_file(found.st_mode):
        raise PhotoUnreadable(refusal)
    if found.st_size != ref.size:
        raise changed(ref.size, found.st_size)
    if ref.version not in ("", of_stat(found)):
        raise replaced()
    if found.st_size > max_bytes:
        raise too_large(found.st_size, max_bytes)
    with os.fdopen(file, "rb", closefd=False) as opened:
        return opened.read(ref.size)


def inside(root: str, path: str) -> str:
    """The path with its links followed, which may not lead out of the root.

    Raises
    ------
    PhotoUnreadable
        they do
    """
    target = os.path.realpath(path)
    if not target.startswith(root.rstrip("/") + "/"):
        raise PhotoUnreadable("a link that leads out of the dataset")
    return target


def not_a_file(mode: int) -> str:
    """What it is instead of a regular file; empty for one."""
    return "" if stat.S_ISREG(mode) else f"not a file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}"
