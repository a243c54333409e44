"""The photos that a pattern matches, in a local folder or in a bucket (`photos/2026-*/*.jpg`)."""

from __future__ import annotations

import os
from pathlib import Path

from meanface.dataset.address import has_wildcards, is_glob, local_path, scheme, wildcards_of
from meanface.dataset.bucket import BucketDataset
from meanface.dataset.folder import FolderDataset
from meanface.dataset.photo_pattern import PhotoPattern
from meanface.errors import SettingsError
from meanface.storage.files import without_credentials


def photos_matching(pattern: str, *, follow_links: bool = False) -> FolderDataset | BucketDataset:
    """The photos that match a pattern; their names are relative to the last folder before its first wildcard.

    They are those of that folder whose names match: the same files are passed over, and the same
    links refused.
    """
    local = local_path(pattern)
    return _in_bucket(pattern) if local is None else _in_folder(local, follow_links=follow_links)


def _in_folder(pattern: str, *, follow_links: bool) -> FolderDataset:
    folder, below = fixed_folder(pattern)
    root = os.path.realpath(folder)
    url = f"{root.rstrip('/')}/{below}"
    return FolderDataset(Path(root), url, follow_links=follow_links, only=PhotoPattern(below))


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


def _in_bucket(pattern: str) -> BucketDataset:
    wildcards, parts = wildcards_of(pattern), pattern.split("/")
    fixed = next(at for at, part in enumerate(parts) if has_wildcards(part, wildcards))
    place = 5 if scheme(pattern) == "hf" else 3  # "hf:", "", "datasets", "ORG", "NAME"; "s3:", "", "bucket"
    if fixed < place:
        raise SettingsError(
            f"dataset {without_credentials(pattern)!r} has a wildcard in the name of its bucket, repository or server: "
            "give the whole name"
        )
    below = PhotoPattern("/".join(parts[fixed:]), wildcards)
    return BucketDataset("/".join(parts[:fixed]), pattern, only=below)
