"""The photos that a pattern matches, in a local folder or in a bucket (`photos/2026-*/*.jpg`)."""

from __future__ import annotations

import os
from pathlib import Path

from meanface.dataset.address import local_path, wildcards_of
from meanface.dataset.bucket import BucketDataset
from meanface.dataset.folder import FolderDataset
from meanface.dataset.matching import cut
from meanface.dataset.photo_pattern import PhotoPattern


def photos_matching(pattern: str, *, follow_links: bool = False) -> FolderDataset | BucketDataset:
    """The photos that match a pattern; their names are relative to the last folder before its first wildcard.

    They are those of that folder whose names match: the same files are passed over, and the same
    links refused.
    """
    folder, below = cut(pattern)
    if local_path(pattern) is None:
        return BucketDataset(folder, pattern, only=PhotoPattern(below, wildcards_of(pattern)))
    root = os.path.realpath(folder)
    url = f"{root.rstrip('/')}/{below}"
    return FolderDataset(Path(root), url, follow_links=follow_links, only=PhotoPattern(below))
