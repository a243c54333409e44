"""Find folders with results of meanface, which have its marker: their pictures are no photos."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from meanface.dataset.folder_photos import is_hub_cache, opened
from meanface.dataset.kinds import HUB_BLOBS, RESULTS, Kind, folder_passed_over
from meanface.dataset.photos import PhotoUnreadable
from meanface.storage.lookup import is_file
from meanface.storage.marker import FILE, is_marker

LARGEST = 1 << 20
"""bytes of a marker that are read"""


class ResultFolders:
    """Folders with results, found among the names of a listing."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    def look(self, name: str, size: int, read: Callable[[], bytes]) -> None:
        """Note the folder of a listed file that is a marker; `read` returns the file's bytes."""
        folder, _, base = name.rpartition("/")
        if base == FILE and size <= LARGEST and is_marker(read()):
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
    path = f"{folder}/{FILE}"
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib raises if forbidden
        return False
    try:
        with os.fdopen(opened(root, path), "rb") as marker:
            return is_marker(marker.read(LARGEST))
    except (OSError, PhotoUnreadable):
        return False


def kind_by_marker(root: str, folder: str) -> Kind | None:
    """The kind of all files in a folder of results or of a Hugging Face cache; else None."""
    path = Path(folder)
    if path.name == "blobs" and is_hub_cache(path.parent):
        return HUB_BLOBS
    return RESULTS if in_folder(root, folder) else None


def shard_in_results(fs: Any, root: str) -> Callable[[str], bool]:
    """Make a function that checks whether a folder between the root and a shard has a marker."""

    @cache
    def marked(folder: str) -> bool:
        return is_file(fs, f"{folder}/{FILE}") and is_marker(fs.cat_file(f"{folder}/{FILE}", end=LARGEST))

    def inside(path: str) -> bool:
        folders = path[len(root) :].strip("/").split("/")[:-1]
        return any(marked(f"{root}/{'/'.join(folders[: depth + 1])}") for depth in range(len(folders)))

    return inside
