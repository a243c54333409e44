"""Find folders with results of meanface in a dataset: their pictures are no photos of it.

They have a marker. A release without markers left a `manifest.json`, with the result or the mean
face beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from meanface.dataset.folder_photos import opened
from meanface.dataset.kinds import RESULTS, Kind, folder_passed_over
from meanface.dataset.photos import PhotoUnreadable
from meanface.storage.marker import FILE, is_manifest, is_marker

MANIFEST, BESIDE = "manifest.json", ("mean_face.png", "result.json")
LARGEST = 1 << 24
"""bytes of a marker or manifest that are read; one of 1,024 partitions has half a megabyte"""

Read = Callable[[], bytes]


class ResultFolders:
    """Folders with results, found among the names of a listing.

    Unless `later`, as in a stream, a file cannot be read any more after others were listed.
    """

    def __init__(self, *, later: bool = True) -> None:
        self._later = later
        self._found: set[str] = set()
        self._manifests: dict[str, Read | bool] = {}
        """folder -> whether its manifest is ours, or the function to read it"""
        self._beside: set[str] = set()
        """folders with a file that stands beside the manifest"""

    def look(self, name: str, size: int, read: Read) -> None:
        """Look for signs of results in a listed file; `read` returns its bytes."""
        folder, _, base = name.rpartition("/")
        if base == FILE:
            if size <= LARGEST and is_marker(read()):
                self._found.add(folder)
        elif base == MANIFEST and size <= LARGEST:
            self._manifests[folder] = read if self._later else is_manifest(read())
        elif base in BESIDE:
            self._beside.add(folder)
        else:
            return
        if folder in self._beside and folder in self._manifests:
            manifest = self._manifests.pop(folder)
            if is_manifest(manifest()) if callable(manifest) else manifest:
                self._found.add(folder)

    def merge(self, other: ResultFolders) -> None:
        """Add the folders that another listing has found."""
        self._found |= other._found

    def kind(self, name: str) -> Kind | None:
        """The kind of a file inside one of the folders found so far; None elsewhere."""
        if not self._found:
            return None
        parts = name.split("/")[:-1]
        folders = ("/".join(parts[:depth]) for depth in range(len(parts) + 1))
        outermost = next((folder for folder in folders if folder in self._found), None)
        return None if outermost is None else folder_passed_over(outermost) or RESULTS


def in_folder(root: str, folder: str) -> bool:
    """Whether a local folder, the root or one below it, holds results."""

    def read(name: str) -> bytes:
        try:
            file = opened(root, f"{folder}/{name}")
        except (OSError, PhotoUnreadable):
            return b""
        with os.fdopen(file, "rb") as whole:
            try:
                return whole.read(LARGEST)
            except OSError:  # such as a folder
                return b""

    paths = {name: f"{folder}/{name}" for name in (FILE, MANIFEST, *BESIDE)}
    names = {name for name, path in paths.items() if os.path.isfile(path)}  # noqa: PTH113 - pathlib raises if forbidden
    if FILE in names and is_marker(read(FILE)):
        return True
    return MANIFEST in names and len(names - {FILE}) > 1 and is_manifest(read(MANIFEST))


def shard_in_results(fs: Any, root: str) -> Callable[[str], bool]:
    """Make a function that checks whether a folder between the root and a shard has a marker."""

    @cache
    def marked(folder: str) -> bool:
        return bool(fs.isfile(f"{folder}/{FILE}")) and is_marker(fs.cat_file(f"{folder}/{FILE}", end=LARGEST))

    def inside(path: str) -> bool:
        folders = path[len(root) :].strip("/").split("/")[:-1]
        return any(marked(f"{root}/{'/'.join(folders[: depth + 1])}") for depth in range(len(folders)))

    return inside
