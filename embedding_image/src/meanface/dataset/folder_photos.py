"""Read photos in a local folder tree, and nothing outside it unless links may lead there."""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from pathlib import Path

from meanface.dataset.kinds import BROKEN_LINKS, LINKED_FOLDERS, Kind
from meanface.dataset.photos import PhotoSource, PhotoUnreadable, changed, reading, too_large
from meanface.dataset.refs import PhotoRef
from meanface.storage.version import of_stat

ANYWHERE = "/"
"""the root that links must not leave, if they may lead anywhere"""

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class FolderPhotos(PhotoSource):
    """Reads photos below a local folder; with `follow_links` also those that links lead to."""

    def __init__(self, root: str, *, follow_links: bool = False) -> None:
        super().__init__()
        self._root = root
        self._within = ANYWHERE if follow_links else root

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:
        with reading():
            file = opened(self._within, f"{self._root}/{ref.name}")
            try:
                return _whole(file, ref, max_bytes)
            finally:
                os.close(file)


def opened(root: str, path: str) -> int:
    """Open a file, or anything else of this name, below the root; the descriptor.

    Raises `PhotoUnreadable` if a link leads out of the root.
    """
    # Without O_NONBLOCK, opening a named pipe that took the photo's place would wait for a writer.
    return os.open(inside(root, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _whole(file: int, ref: PhotoRef, max_bytes: int) -> bytes:
    """Check that an open file is the planned photo, and read it."""
    found = os.fstat(file)
    if refusal := not_a_file(found.st_mode):
        raise PhotoUnreadable(refusal)
    if found.st_size != ref.size or ref.version not in ("", of_stat(found)):
        raise changed(ref.size, found.st_size)
    if found.st_size > max_bytes:
        raise too_large(found.st_size, max_bytes)
    with os.fdopen(file, "rb", closefd=False) as whole:
        return whole.read(ref.size)


def inside(root: str, path: str, advice: str = "set follow_links, or copy the photo into the dataset") -> str:
    """Follow the links in a path; raises `PhotoUnreadable`, with advice, if they lead out of the root.

    The files of a snapshot in a Hugging Face cache (`snapshots/REVISION`) may be links to the
    cache's `blobs`.
    """
    target = os.path.realpath(path)
    blobs = hub_blobs(root)
    if target.startswith(f"{root.rstrip('/')}/") or (blobs and target.startswith(f"{blobs}/")):
        return target
    raise PhotoUnreadable(f"a link that leads out of the dataset: {advice}")


@lru_cache(8)
def hub_blobs(root: str) -> str:
    """The folder that a Hugging Face cache's snapshot links to; empty for any other folder.

    Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    for folder in (Path(root), *Path(root).parents):
        if folder.parent.name == "snapshots" and is_hub_cache(folder.parent.parent):
            return os.path.realpath(folder.parent.parent / "blobs")
    return ""


def is_hub_cache(folder: Path) -> bool:
    """Whether a folder is a repository in a Hugging Face cache (`snapshots` link to `blobs`)."""
    named = folder.name.startswith(("models--", "datasets--", "spaces--")) or (folder / "refs").is_dir()
    return named and all((folder / part).is_dir() for part in ("blobs", "snapshots"))


def not_a_file(mode: int) -> str:
    """Why a file with this mode is not read; empty for a regular file."""
    return "" if stat.S_ISREG(mode) else f"not a file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}"


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def kind_of_link(entry: os.DirEntry[str]) -> Kind | None:
    """The kind of a link to a folder or to nowhere; None for anything else."""
    try:
        if not entry.is_symlink():
            return None
        return LINKED_FOLDERS if stat.S_ISDIR(entry.stat().st_mode) else None
    except OSError:  # a link to nowhere, in a circle, or behind a closed folder
        return BROKEN_LINKS
