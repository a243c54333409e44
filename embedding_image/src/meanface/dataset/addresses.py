"""The addresses in the setting `dataset`, one a line, and the folders that several datasets are in a run."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from urllib.parse import urlsplit

from meanface.dataset.address import base_name, has_wildcards, is_glob, is_web, local_path, scheme, wildcards_of
from meanface.dataset.by_address import BUILT_IN, existing_path, expanded
from meanface.dataset.matching import fixed_folder
from meanface.dataset.photos import printable
from meanface.storage.files import without_credentials


def addresses(dataset: str) -> tuple[str, ...]:
    r"""The addresses in a setting; a local path that exists is one address, even with a line break in it.

    >>> addresses("s3://photos/2026/\r\n\nlfw\n")
    ('s3://photos/2026/', 'lfw')
    """
    if "\n" not in dataset:
        return (dataset,)
    local = local_path(dataset)
    if local is not None and os.path.lexists(expanded(local)):
        return (dataset,)
    lines = (line.removesuffix("\r") for line in dataset.split("\n"))
    return tuple(line for line in lines if line.strip()) or (dataset,)


def public_addresses(dataset: str) -> str:
    """The setting without credentials, one address a line."""
    return "\n".join(map(without_credentials, addresses(dataset)))


def shown_addresses(dataset: str) -> str:
    """The addresses without credentials in one line, for messages."""
    return ", ".join(map(without_credentials, addresses(dataset)))


def folder_names(several: Iterable[str]) -> list[str]:
    """The folder of each dataset in the whole: the last part of its address; of a glob, that of its fixed folder.

    If several have one name, the second has ` (2)` behind it, and so on.

    >>> folder_names(["lfw", "/data/photos/", "s3://key:secret@b/photos", "s3://b/2026/*/front.jpg"])
    ['lfw', 'photos', 'photos (2)', '2026']
    >>> folder_names(["https://photos.example/a.tgz?key=secret", "https://photos.example/", "/data/s-*.tar"])
    ['a.tgz', 'photos.example', 'data']
    """
    names: list[str] = []
    for address in several:
        base = printable(_last_part(address).replace("\0", "").replace("/", ""))[0]
        base = "dataset" if base in ("", ".", "..") else base
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base} ({number})"
        names.append(name)
    return names


def _last_part(address: str) -> str:
    local = local_path(address)
    if address in BUILT_IN:
        return address
    if local is not None:
        return _last_part_of_path(existing_path(local, encoded=scheme(address) == "file"))
    address = without_credentials(address)
    if is_web(address):
        return base_name(address) or urlsplit(address).hostname or ""
    wildcards, parts = wildcards_of(address), address.partition("://")[2].split("/")
    fixed = next((at for at, part in enumerate(parts) if at and has_wildcards(part, wildcards)), len(parts))
    return next((part for part in reversed(parts[:fixed]) if part), "")


def _last_part_of_path(path: str) -> str:
    if is_glob(path) and not os.path.lexists(path):
        path = fixed_folder(path)[0]
    name = posixpath.basename(path.rstrip("/"))
    return posixpath.basename(os.path.realpath(path)) if name in ("", ".", "..") else name
