"""Photos in a local folder tree."""

from __future__ import annotations

import builtins
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
from meanface.dataset.result_folders import in_folder
from meanface.errors import DatasetNotFound, StorageUnavailable
from meanface.storage.version import of_stat

_LASTING = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""errors of a folder itself; other errors may pass"""


class _Open(NamedTuple):
    """A folder that is being listed."""

    entries: os._ScandirIterator[str]
    kind: Kind | None
    """the kind as which everything in it is passed over"""


class FolderDataset:
    """Every photo below a folder; `url` is the dataset's name, the folder's path by default.

    A linked photo counts if its target is inside the folder. Linked folders are not entered: what
    they hold would count twice, or lie elsewhere, or never end. A file without a known suffix is
    judged by its first bytes.
    """

    def __init__(self, path: Path, url: str | None = None) -> None:
        self._root = os.path.realpath(path)
        self._url = url or self._root
        self._library = library_name(self._root)
        self._account = Account()

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        passed_over = self._account.records()
        return Source(url=printable(self._url)[0], kind="folder", root=self._root, passed_over=passed_over)

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, in the order of the file system.

        Only the folders from the root down to the current one are open: memory grows with the depth
        of the tree, but not with its width.
        """
        self._account = Account()
        try:
            path = [_Open(os.scandir(self._root), RESULTS if in_folder(self._root, self._root) else None)]
        except OSError as error:
            raise DatasetNotFound(f"dataset {self._url!r} cannot be listed: {reason(error)}") from error
        try:
            while path:
                try:
                    entry = next(path[-1].entries, None)
                except OSError as error:  # network file systems break off in the middle
                    raise self._unavailable(error) from error
                if entry is None:
                    path.pop().entries.close()
                elif ref := self._photo(entry, path):
                    yield ref
        finally:
            for folder in path:
                folder.entries.close()

    def _photo(self, entry: os.DirEntry[str], path: builtins.list[_Open]) -> PhotoRef | None:
        """Return a photo or an unreadable folder; add a folder to the path; count anything else."""
        name, kind = entry.path[len(self._root) :].lstrip("/"), path[-1].kind
        try:
            if entry.is_dir(follow_symlinks=False):
                kind = kind or folder_passed_over(self._library + name) or kind_by_marker(self._root, entry.path)
                path.append(_Open(os.scandir(entry.path), kind))
                return None
            kind = kind or passed_over(self._library + name)
            link = _kind_of_link(entry)
            if kind or link is LINKED_FOLDERS:  # but a photo's broken link is a photo that failed
                kind = link or kind
            if kind is UNKNOWN:
                kind = self._kind_by_content(entry)
            if kind is None:
                return self._ref(entry, name)
            self._account.add(kind, name)
        except OSError as error:
            if error.errno not in _LASTING:
                raise self._unavailable(error) from error
            if kind := kind or folder_passed_over(self._library + name):
                self._account.add(kind, f"{name}/")
                return None
            name, refusal = printable(name)  # counts as a failed photo: its content is unknown
            return PhotoRef(name, 0, refusal=refusal or f"the folder cannot be listed: {reason(error)}")
        return None

    def _kind_by_content(self, entry: os.DirEntry[str]) -> Kind | None:
        """The kind of a file without a known suffix; None for a photo."""
        try:
            if not entry.is_file():  # opening a named pipe would wait for a writer
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

    def _ref(self, entry: os.DirEntry[str], name: str) -> PhotoRef:
        name, refusal = printable(name)
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
    """The kind of a link to a folder or to nowhere; None for anything else."""
    try:
        if not entry.is_symlink():
            return None
        return LINKED_FOLDERS if stat.S_ISDIR(entry.stat().st_mode) else None
    except OSError:  # a link to nowhere, in a circle, or behind a closed folder
        return BROKEN_LINKS


def kind_by_marker(root: str, folder: str) -> Kind | None:
    """The kind of all files in a folder of results or of a Hugging Face cache; else None."""
    path = Path(folder)
    if path.name == "blobs" and is_hub_cache(path.parent):
        return HUB_BLOBS
    return RESULTS if in_folder(root, folder) else None
