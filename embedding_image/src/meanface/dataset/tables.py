"""Several Parquet tables as one list: those that match a pattern, or a folder of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from meanface.dataset.address import has_suffix, local_path, wildcards_of
from meanface.dataset.bucket import file_system, listing
from meanface.dataset.content import START
from meanface.dataset.folder_photos import inside
from meanface.dataset.kinds import (
    LINKED_FOLDERS,
    RESULTS,
    UNKNOWN,
    Kind,
    folder_passed_over,
    passed_over,
    passed_over_by_content,
)
from meanface.dataset.lists import ListFile, ListFiles
from meanface.dataset.matching import cut, paths_matching
from meanface.dataset.passed_over import Account
from meanface.dataset.photo_pattern import PhotoPattern
from meanface.dataset.photos import PhotoUnreadable, printable, reason
from meanface.dataset.result_folders import in_folder, kind_by_marker, shard_in_results
from meanface.errors import DatasetNotFound
from meanface.storage.files import without_credentials
from meanface.storage.lookup import is_file

SUFFIXES = (".parquet",)


def is_pattern_of_tables(address: str) -> bool:
    """Whether the files that a pattern matches are tables."""
    return has_suffix(address, SUFFIXES)


def tables_matching(pattern: str) -> ListFiles:
    """The tables that match a pattern, in order of their names; `DatasetNotFound` if there is none."""
    url = printable(without_credentials(pattern))[0]
    folder, below = cut(pattern)
    fs, root = file_system(folder)
    is_local = local_path(pattern) is not None
    account, found, in_results = Account(), dict[str, str](), shard_in_results(fs, root)
    with listing(url):
        for path in paths_matching(fs, root or "/", PhotoPattern(below, wildcards_of(pattern))):
            name = path[len(root) :].lstrip("/")
            if in_results(path):
                account.add(RESULTS, name)
            elif is_file(fs, path):
                found[name] = path if is_local else fs.unstrip_protocol(path)
    if not found:
        raise DatasetNotFound(f"dataset {url!r}: no file matches; expected Parquet tables")
    files = tuple(ListFile(found[name], name) for name in sorted(found))
    return ListFiles(pattern, files, os.path.realpath(root or "/") if is_local else "", account)


def tables_in(folder: str) -> ListFiles | None:
    """The tables in a folder without photos; None if it has photos, or no table.

    Only file names are looked at, and the first bytes of files without a known suffix; the first
    photo ends the search.
    """
    root, account = os.path.realpath(folder), Account()
    if in_folder(root, root):
        return None
    found = list[str]()
    try:
        for path in files_below(root, account):
            name = path[len(root) :].lstrip("/")
            kind = passed_over(name)
            if kind is UNKNOWN:
                kind = _by_content(path)
            if kind is None:
                return None
            if has_suffix(name, SUFFIXES):
                found.append(name)
            else:
                account.add(kind, name)
    except OSError as error:
        if not found:
            return None  # reading the folder as photos describes the error
        raise DatasetNotFound(f"dataset {printable(root)[0]!r} cannot be listed: {reason(error)}") from error
    if not found:
        return None
    files = []
    for name in sorted(found):
        try:
            files.append(ListFile(inside(root, f"{root}/{name}"), name))
        except PhotoUnreadable as refused:
            raise DatasetNotFound(f"the table {printable(name)[0]!r} cannot be read: {refused}") from refused
    return ListFiles(folder, tuple(files), root, account)


def files_below(root: str, account: Account) -> Iterator[str]:
    """Every file below a folder, without those that a folder of photos would pass over with their folder."""
    folders = [root]
    while folders:
        with closing(os.scandir(folders.pop())) as entries:
            for entry in entries:
                name = entry.path[len(root) :].lstrip("/")
                if not entry.is_dir():
                    yield entry.path
                elif entry.is_symlink():
                    account.add(LINKED_FOLDERS, name)
                elif kind := folder_passed_over(name) or kind_by_marker(root, entry.path):
                    account.add(kind, f"{name}/")
                else:
                    folders.append(entry.path)


def _by_content(path: str) -> Kind | None:
    """The kind of a file without a known suffix; None for a photo."""
    if not Path(path).is_file():
        return UNKNOWN
    with Path(path).open("rb") as file:
        return passed_over_by_content(file.read(START))
