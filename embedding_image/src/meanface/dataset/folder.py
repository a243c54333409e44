"""Photos in a local folder tree."""

from __future__ import annotations

import builtins
import errno
import heapq
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from meanface.dataset.content import START
from meanface.dataset.folder_photos import ANYWHERE, inside, is_folder, kind_of_link, not_a_file, opened
from meanface.dataset.kinds import (
    LINKED_FOLDERS,
    OTHER,
    REPEATED_FOLDERS,
    RESULTS,
    UNKNOWN,
    Kind,
    folder_passed_over,
    library_name,
    passed_over,
    passed_over_by_content,
)
from meanface.dataset.passed_over import Account
from meanface.dataset.photo_pattern import PhotoPattern
from meanface.dataset.photos import PhotoUnreadable, printable, reason
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.result_folders import in_folder, kind_by_marker
from meanface.errors import DatasetNotFound, StorageUnavailable
from meanface.storage.version import of_stat

_LASTING = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""errors of a folder itself; other errors may pass"""


class _Tree(NamedTuple):
    """A folder tree of the dataset: its own, or one that a followed link leads to."""

    name: str
    """of the link, below the dataset; empty for the dataset's own tree"""
    root: str
    """real path"""

    def name_of(self, path: str) -> str:
        """The name of a file in the tree, below the dataset."""
        return f"{self.name}/{path[len(self.root) :].lstrip('/')}".lstrip("/")


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

    With `follow_links`, linked photos count wherever they lie, and linked folders are entered after
    all others, in the order of their names. Each folder is read once: a link into what is read
    already is not followed. A link into a folder that is passed over, such as a hidden one, is.

    With a pattern, `only` the files below the folder count whose names match it.
    """

    def __init__(
        self, path: Path, url: str | None = None, *, follow_links: bool = False, only: PhotoPattern | None = None
    ) -> None:
        self._root = os.path.realpath(path)
        self._url = url or self._root
        self._library = library_name(self._root)
        self._account, self._only = Account(), only
        self._follow_links = follow_links
        self._within = ANYWHERE if follow_links else self._root
        self._links: list[_Tree] = []
        self._entered: dict[str, _Tree] = {}
        """by their real paths"""

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
        empty = True
        for ref in self._all():
            empty = False
            yield ref
        if empty and self._only is not None and not self._account.records():
            raise DatasetNotFound(f"dataset {printable(self._url)[0]!r}: no file matches; expected photos")

    def _all(self) -> Iterator[PhotoRef]:
        self._account, self._entered = Account(), {}
        self._links = [_Tree("", self._root)]
        while self._links:
            tree = heapq.heappop(self._links)
            if self._is_read(tree.root):
                self._account.add(REPEATED_FOLDERS, tree.name)
                continue
            self._entered[tree.root] = tree
            try:
                entries = os.scandir(tree.root)
            except OSError as error:
                if not tree.name:
                    raise DatasetNotFound(f"dataset {self._url!r} cannot be listed: {reason(error)}") from error
                yield self._closed_folder(tree.name, error)
                continue
            yield from self._tree(tree, _Open(entries, RESULTS if in_folder(tree.root, tree.root) else None))

    def _is_read(self, path: str) -> bool:
        """Whether a folder is read as part of a tree that was entered: it is not if the tree passes it over."""
        return path in self._entered or any(
            path.startswith(f"{root.rstrip('/')}/") and self._may_be_read(tree.name_of(path))
            for root, tree in self._entered.items()
        )

    def _may_be_read(self, folder: str) -> bool:
        """Whether a folder's name leaves photos in it."""
        return not folder_passed_over(self._library + folder) and (self._only is None or self._only.may_hold(folder))

    def _tree(self, tree: _Tree, root: _Open) -> Iterator[PhotoRef]:
        path = [root]
        try:
            while path:
                try:
                    entry = next(path[-1].entries, None)
                except OSError as error:  # network file systems break off in the middle
                    raise self._unavailable(error) from error
                if entry is None:
                    path.pop().entries.close()
                elif ref := self._photo(tree, entry, path):
                    yield ref
        finally:
            for folder in path:
                folder.entries.close()

    def _photo(self, tree: _Tree, entry: os.DirEntry[str], path: builtins.list[_Open]) -> PhotoRef | None:
        """Return a photo or an unreadable folder; add a folder to the path; count anything else."""
        name, kind = tree.name_of(entry.path), path[-1].kind
        if self._only is not None and not (self._only.may_hold if is_folder(entry) else self._only.matches)(name):
            return None
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.path in self._entered:  # below a folder that a link leads to
                    self._account.add(REPEATED_FOLDERS, f"{name}/")
                else:
                    kind = kind or folder_passed_over(self._library + name) or kind_by_marker(tree.root, entry.path)
                    path.append(_Open(os.scandir(entry.path), kind))
                return None
            link = kind_of_link(entry)
            if link is LINKED_FOLDERS and self._follow_links and not (kind or folder_passed_over(self._library + name)):
                heapq.heappush(self._links, _Tree(name, os.path.realpath(entry.path)))
                return None
            kind = kind or passed_over(self._library + name)
            if kind or link is LINKED_FOLDERS:  # but a photo's broken link is a photo that failed
                kind = link or kind
            if kind is UNKNOWN:
                kind = self._kind_by_content(entry)
            if kind is None:
                return self._ref(entry, name)
            self._account.add(kind, name)
        except OSError as error:
            kind = kind or folder_passed_over(self._library + name)
            if kind is None or error.errno not in _LASTING:
                return self._closed_folder(name, error)
            self._account.add(kind, f"{name}/")
        return None

    def _closed_folder(self, name: str, error: OSError) -> PhotoRef:
        """Return a folder that cannot be listed as a failed photo: its content is unknown."""
        if error.errno not in _LASTING:
            raise self._unavailable(error) from error
        name, refusal = printable(name)
        return PhotoRef(name, 0, refusal=refusal or f"the folder cannot be listed: {reason(error)}")

    def _kind_by_content(self, entry: os.DirEntry[str]) -> Kind | None:
        """The kind of a file without a known suffix; None for a photo."""
        try:
            if not entry.is_file():  # opening a named pipe would wait for a writer
                return OTHER
            file = opened(self._within, entry.path)
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
                inside(self._within, entry.path)
            found = entry.stat()
        except PhotoUnreadable as refused:
            return PhotoRef(name, 0, refusal=refusal or str(refused))
        except OSError as error:
            return PhotoRef(name, 0, refusal=refusal or f"cannot be read: {reason(error)}")
        refusal = refusal or not_a_file(found.st_mode)
        return PhotoRef(name, found.st_size, refusal=refusal, version="" if refusal else of_stat(found))
