"""Bytes of photos in a local folder tree, none of them from elsewhere."""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from pathlib import Path

from meanface.dataset.photos import PhotoSource, PhotoUnreadable, changed, reading, replaced, too_large
from meanface.dataset.refs import PhotoRef
from meanface.storage.version import of_stat

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class FolderPhotos(PhotoSource):
    """Reads photos below a local folder."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:
        with reading():
            file = opened(self._root, f"{self._root}/{ref.name}")
            try:
                return _whole(file, ref, max_bytes)
            finally:
                os.close(file)


def opened(root: str, path: str) -> int:
    """A descriptor of a file below the root, or of whatever else is there.

    Raises
    ------
    PhotoUnreadable
        a link leads out of the root
    OSError
        it cannot be opened
    """
    # Without O_NONBLOCK, opening a named pipe that took the photo's place would wait for a writer.
    return os.open(inside(root, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


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
    with os.fdopen(file, "rb", closefd=False) as whole:
        return whole.read(ref.size)


def inside(root: str, path: str) -> str:
    """The path with its links followed, which may not lead out of the root.

    The root may be a snapshot in a Hugging Face cache (`snapshots/REVISION` beside `blobs`), whose files are links to
    the cache's blobs: these are followed.

    Raises
    ------
    PhotoUnreadable
        they do
    """
    target = os.path.realpath(path)
    blobs = hub_blobs(root)
    if target.startswith(f"{root.rstrip('/')}/") or (blobs and target.startswith(f"{blobs}/")):
        return target
    raise PhotoUnreadable(
        "a link that leads out of the dataset: copy the photo into it, or give a folder that holds link and photo"
    )


@lru_cache(8)
def hub_blobs(root: str) -> str:
    """The folder that holds the files of a Hugging Face cache's snapshot; empty for any other folder.

    Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    for folder in (Path(root), *Path(root).parents):
        if folder.parent.name == "snapshots" and is_hub_cache(folder.parent.parent):
            return os.path.realpath(folder.parent.parent / "blobs")
    return ""


def is_hub_cache(folder: Path) -> bool:
    """Whether a folder is a repository in a Hugging Face cache: its `blobs` are read through links in `snapshots`."""
    named = folder.name.startswith(("models--", "datasets--", "spaces--")) or (folder / "refs").is_dir()
    return named and all((folder / part).is_dir() for part in ("blobs", "snapshots"))


def not_a_file(mode: int) -> str:
    """What it is instead of a regular file; empty for one."""
    return "" if stat.S_ISREG(mode) else f"not a file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}"
