"""Cut a pattern into a folder and what is below it, and list the files that match: tables and shards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meanface.dataset.address import has_wildcards, is_glob, local_path, scheme, wildcards_of
from meanface.dataset.photo_pattern import PhotoPattern
from meanface.errors import SettingsError
from meanface.storage.files import without_credentials
from meanface.storage.lookup import entries


def cut(pattern: str) -> tuple[str, str]:
    """The address of the last folder before a pattern's first wildcard, and the pattern below it."""
    local = local_path(pattern)
    return _fixed_prefix(pattern) if local is None else fixed_folder(local)


def fixed_folder(pattern: str) -> tuple[str, str]:
    """Cut a local pattern into the folder before its first wildcard, and the rest.

    What exists comes before a pattern: a folder may be called `[2026]`.
    """
    whole = pattern if pattern.startswith("/") else f"{Path.cwd()}/{pattern}"
    parts = [part for part in whole.split("/") if part not in ("", ".")]
    folder = ""
    while len(parts) > 1 and (not is_glob(parts[0]) or os.path.lexists(f"{folder}/{parts[0]}")):
        folder = f"{folder}/{parts.pop(0)}"
    return folder or "/", "/".join(parts)


def _fixed_prefix(pattern: str) -> tuple[str, str]:
    """Cut a pattern in a bucket; `SettingsError` if its bucket's name has a wildcard."""
    wildcards, parts = wildcards_of(pattern), pattern.split("/")
    fixed = next(at for at, part in enumerate(parts) if has_wildcards(part, wildcards))
    place = 5 if scheme(pattern) == "hf" else 3  # "hf:", "", "datasets", "ORG", "NAME"; "s3:", "", "bucket"
    if fixed < place:
        raise SettingsError(
            f"dataset {without_credentials(pattern)!r} has a wildcard in the name of its bucket, repository or server: "
            "give the whole name"
        )
    return "/".join(parts[:fixed]), "/".join(parts[fixed:])


def paths_matching(fs: Any, root: str, pattern: PhotoPattern) -> Iterator[str]:
    """Paths of the files and folders below a root that match, folder by folder.

    Only folders that may hold such files are listed. Raises the file system's error if that fails.
    """
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            found = entries(fs, folder)
        except FileNotFoundError:
            if folder == root:
                raise
            continue  # gone since it was listed
        for path, is_folder in found:
            name = path[len(root) :].lstrip("/")
            if is_folder and pattern.may_hold(name):
                folders.append(path)
            if pattern.matches(name):
                yield path
