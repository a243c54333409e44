"""The cache of derived models: files that the processes of a machine share."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_path(name: str, folder: str | None) -> Path:
    """Path of a file in the cache; without a folder it is in the user's cache folder."""
    return Path(folder or platformdirs.user_cache_path("meanface")) / name


def put(path: Path, data: bytes) -> bool:
    """Write a file into the cache; False if the path exists, which is left as it is."""
    from meanface.storage.files import Storage  # fsspec loads slowly, and is rarely needed

    return Storage(os.fspath(path.parent)).create(path.name, data)
