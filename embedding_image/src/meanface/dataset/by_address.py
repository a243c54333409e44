"""Open a dataset by the kind that its address names, or that is found there."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from meanface.dataset.address import (
    ARCHIVE_SUFFIXES,
    base_name,
    has_suffix,
    is_glob,
    is_web,
    local_path,
    scheme,
)
from meanface.dataset.archive.archive import ArchiveDataset
from meanface.dataset.archive.shard_glob import ShardDataset
from meanface.dataset.archive.shards import ShardFolder
from meanface.dataset.bucket import BucketDataset
from meanface.dataset.column_settings import columns_of
from meanface.dataset.folder import FolderDataset
from meanface.dataset.http.download import name_on_server
from meanface.dataset.lists import ListDataset, ListFiles
from meanface.dataset.matching import fixed_folder
from meanface.dataset.metadata import LabelledFolder
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.one_photo import PhotoFile, PhotoObject, PhotoUrl, is_photo_file, is_photo_object, is_photo_url
from meanface.dataset.photo_glob import photos_matching
from meanface.dataset.photo_pattern import is_pattern_of_photos
from meanface.dataset.photos import Dataset, printable, reason
from meanface.dataset.table.form import LIST_SUFFIXES
from meanface.dataset.tables import is_pattern_of_tables, tables_in, tables_matching
from meanface.errors import DatasetNotFound
from meanface.settings import Settings

BUILT_IN = ("sample", "lfw")
SAMPLE = Path(__file__).parent / "sample" / "photos"
LFW = "https://ndownloader.figshare.com/files/5976018"
"""Labeled Faces in the Wild: the copy that scikit-learn uses, as the original host is gone"""
LFW_CHECKSUM = "md5:a17d05bd522c52d84eca14327a23d494"


def dataset_at(settings: Settings, shards: ShardFolder, network_policy: NetworkPolicy) -> Dataset:
    """Open the dataset that the settings name, by the kind that its address names or its content shows.

    The shards of an archive go to `shards`. Raises what `meanface.dataset.open_dataset` raises.
    """
    address = settings.dataset
    local = local_path(address)
    if address == "sample":
        return FolderDataset(SAMPLE, url="sample", follow_links=settings.follow_links)
    if address == "lfw":
        settings = settings.model_copy(update={"checksum": settings.checksum or LFW_CHECKSUM})
        return _file(LFW, settings, shards, network_policy, name="lfw.tgz")
    if local is not None:
        return _local(existing_path(local, encoded=scheme(address) == "file"), settings, shards, network_policy)
    if is_glob(address):
        return _matching(address, settings, shards, network_policy)
    return _remote(address, settings, shards, network_policy)


def _remote(address: str, settings: Settings, shards: ShardFolder, network_policy: NetworkPolicy) -> Dataset:
    """Open what is behind http(s) or in a bucket; the server of a web address without a suffix names the file."""
    name = base_name(address)
    if not has_suffix(name, (*ARCHIVE_SUFFIXES, *LIST_SUFFIXES)):
        if not is_web(address):
            return PhotoObject(address) if is_photo_object(address) else BucketDataset(address)
        if is_photo_url(address):
            return PhotoUrl(address, network_policy)
        name = name_on_server(address, network_policy) or name
    return _file(address, settings, shards, network_policy, name=name)


def _local(path: str, settings: Settings, shards: ShardFolder, network_policy: NetworkPolicy) -> Dataset:
    """Prefer an existing path to the kind that its name suggests: a folder may be named photos.zip, or [2026]."""
    try:
        if Path(path).is_dir():
            tables = None if settings.follow_links else tables_in(path)  # a link may lead to photos
            if tables is not None:
                return _list(tables, settings, shards, network_policy)
            folder = FolderDataset(Path(path), follow_links=settings.follow_links)
            wanted = columns_of(settings)
            return LabelledFolder(folder, os.path.realpath(path), wanted) if wanted.labelled else folder
        if is_glob(path) and not Path(path).exists():
            return _matching(path, settings, shards, network_policy)
        return PhotoFile(path) if is_photo_file(path) else _file(path, settings, shards, network_policy)
    except OSError as error:
        raise DatasetNotFound(f"dataset {printable(path)[0]!r} cannot be reached: {reason(error)}") from error


def _file(
    address: str, settings: Settings, shards: ShardFolder, network_policy: NetworkPolicy, *, name: str | None = None
) -> ListDataset | ArchiveDataset:
    """Open a list of photos or an archive, depending on its name (by default its address)."""
    suffixed = address if name is None else name
    if has_suffix(suffixed, LIST_SUFFIXES):
        return _list(ListFiles.single(address, name or ""), settings, shards, network_policy)
    return ArchiveDataset(
        address,
        checksum=settings.checksum,
        max_bytes=settings.max_bytes,
        shards=shards,
        name=name or "",
        network_policy=network_policy,
        wanted=columns_of(settings),
    )


def _matching(pattern: str, settings: Settings, shards: ShardFolder, network_policy: NetworkPolicy) -> Dataset:
    """Open the tables, the photos or the shards that match a pattern."""
    if is_pattern_of_tables(pattern):
        return _list(tables_matching(pattern), settings, shards, network_policy)
    if is_pattern_of_photos(pattern):
        return photos_matching(pattern, follow_links=settings.follow_links)
    return ShardDataset(pattern, columns_of(settings))


def _list(files: ListFiles, settings: Settings, shards: ShardFolder, network_policy: NetworkPolicy) -> ListDataset:
    wanted, most = columns_of(settings), settings.max_bytes
    return ListDataset(files, shards=shards, max_bytes=most, network_policy=network_policy, wanted=wanted)


def existing_path(local: str, *, encoded: bool) -> str:
    """The path of a local address; in a file address, `%20` is a blank unless a name has it."""
    path, plain = expanded(local), expanded(unquote(local))
    if not encoded or os.path.lexists(path):
        return path
    if is_glob(plain) and not os.path.isdir(fixed_folder(path)[0]):  # noqa: PTH112 - pathlib raises if forbidden
        return plain
    return plain if os.path.lexists(plain) else path


def expanded(path: str) -> str:
    """A path with the home folder in the place of `~`."""
    return os.path.expanduser(path)  # noqa: PTH111 - pathlib raises where there is no such user
