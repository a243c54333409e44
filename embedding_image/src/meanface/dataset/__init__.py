"""Datasets: a folder, a bucket prefix, an archive, a set of tar shards, or a list of photos.

::

    dataset = open_dataset(settings, storage)
    for ref in dataset.list():  # while planning; streamed
        ...
    source = dataset.source  # part of the manifest

    with open_photos(source, storage) as photos:  # while embedding, in another process
        data = photos.read(ref, max_bytes)

`list` raises what is wrong with the dataset as a whole. What is wrong with one photo is the
`refusal` of its reference, or a `PhotoUnreadable` that `read` raises.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from meanface.dataset.address import (
    ARCHIVE_SUFFIXES,
    base_name,
    has_suffix,
    is_glob,
    is_web,
    local_path,
    refuse_chained,
    refuse_unchecked,
    scheme,
)
from meanface.dataset.address import resolve as fill_dates
from meanface.dataset.archive.archive import ArchiveDataset
from meanface.dataset.archive.shard_glob import ShardDataset
from meanface.dataset.archive.shards import ShardPhotos
from meanface.dataset.bucket import BucketDataset, BucketPhotos
from meanface.dataset.choice import chosen
from meanface.dataset.column_settings import columns_of, refuse_columns
from meanface.dataset.folder import FolderDataset
from meanface.dataset.folder_photos import FolderPhotos
from meanface.dataset.http.download import name_on_server
from meanface.dataset.lists import ListDataset, ListFiles
from meanface.dataset.metadata import LabelledFolder
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.photos import Dataset, PhotoSource, PhotoTooLarge, PhotoUnreadable, printable, reason
from meanface.dataset.refs import Source
from meanface.dataset.table.form import LIST_SUFFIXES
from meanface.dataset.tables import is_pattern_of_tables, tables_in, tables_matching
from meanface.dataset.url_photos import UrlPhotos
from meanface.errors import DatasetNotFound, SettingsError
from meanface.settings import Settings
from meanface.storage.files import Storage, without_credentials

__all__ = [
    "Dataset",
    "PhotoSource",
    "PhotoTooLarge",
    "PhotoUnreadable",
    "canonical_address",
    "open_dataset",
    "open_photos",
    "resolve",
]

SAMPLE = Path(__file__).parent / "sample" / "photos"
LFW = "https://ndownloader.figshare.com/files/5976018"
"""Labeled Faces in the Wild: the copy that scikit-learn uses, as the original host is gone"""
LFW_CHECKSUM = "md5:a17d05bd522c52d84eca14327a23d494"


def open_dataset(settings: Settings, storage: Storage, network_policy: NetworkPolicy = PUBLIC) -> Dataset:
    """Open the dataset that the settings name, with their choice of photos; date fields are filled in already.

    The shards of an archive go to `storage`, the run's files. The policy is checked when a
    connection is made. Raises `DatasetNotFound` if nothing is at the address, `SettingsError` if it
    cannot be used or a setting does not fit it, and `StorageUnavailable` if a server that was asked
    for the file's name does not respond.
    """
    try:
        public = without_credentials(settings.dataset)
    except ValueError as error:  # the address is not quoted: it cannot be split, so any part may be a password
        raise SettingsError(f"the dataset is not a valid address: {error}") from None
    if not is_web(settings.dataset):
        refuse_unchecked(settings.dataset, network_policy)
    dataset = _dataset(settings, storage, network_policy.for_dataset(settings.dataset))
    if settings.checksum and not isinstance(dataset, ArchiveDataset):
        raise SettingsError(
            f"checksum={settings.checksum} is for a single archive, which {public!r} is not: leave it out"
        )
    if settings.follow_links and not isinstance(dataset, FolderDataset | LabelledFolder):
        raise SettingsError(f"follow_links is for a local folder, which {public!r} is not: leave it out")
    refuse_columns(dataset, settings, public)
    return chosen(dataset, settings)


def canonical_address(address: str) -> str:
    """The absolute path of a local dataset, links followed; any other address as it is."""
    local = local_path(address)
    if local is None or address in ("sample", "lfw"):
        return address
    return printable(os.path.realpath(Path(local).expanduser()))[0]


def resolve(address: str, date: datetime | None) -> str:
    """Fill in the date fields of an address, see `meanface.dataset.address.resolve`.

    A path that exists stays as it is: a folder may be called `100% mine`.
    """
    local = local_path(address)
    return address if local is not None and os.path.lexists(_expanded(local)) else fill_dates(address, date)


def _dataset(settings: Settings, storage: Storage, network_policy: NetworkPolicy) -> Dataset:
    address = settings.dataset
    local = local_path(address)
    if address == "sample":
        return FolderDataset(SAMPLE, url="sample", follow_links=settings.follow_links)
    if address == "lfw":
        settings = settings.model_copy(update={"checksum": settings.checksum or LFW_CHECKSUM})
        return _file(LFW, settings, storage, network_policy, name="lfw.tgz")
    if local is not None:
        return _local(_existing(local, encoded=scheme(address) == "file"), settings, storage, network_policy)
    if is_glob(address):
        return _matching(address, settings, storage, network_policy)
    name = base_name(address)
    if not has_suffix(name, (*ARCHIVE_SUFFIXES, *LIST_SUFFIXES)):
        if not is_web(address):
            return BucketDataset(address)
        name = name_on_server(address, network_policy) or name
    return _file(address, settings, storage, network_policy, name=name)


def _local(path: str, settings: Settings, storage: Storage, network_policy: NetworkPolicy) -> Dataset:
    """Prefer an existing path to the kind that its name suggests: a folder may be named photos.zip, or [2026]."""
    try:
        if Path(path).is_dir():
            tables = tables_in(path)
            if tables is not None:
                return _list(tables, settings, storage, network_policy)
            folder = FolderDataset(Path(path), follow_links=settings.follow_links)
            wanted = columns_of(settings)
            return LabelledFolder(folder, os.path.realpath(path), wanted) if wanted.labelled else folder
        if is_glob(path) and not Path(path).exists():
            return _matching(path, settings, storage, network_policy)
        return _file(path, settings, storage, network_policy)
    except OSError as error:
        raise DatasetNotFound(f"dataset {printable(path)[0]!r} cannot be reached: {reason(error)}") from error


def _file(
    address: str, settings: Settings, storage: Storage, network_policy: NetworkPolicy, *, name: str | None = None
) -> ListDataset | ArchiveDataset:
    """Open a list of photos or an archive, depending on its name (by default its address)."""
    suffixed = address if name is None else name
    if has_suffix(suffixed, LIST_SUFFIXES):
        return _list(ListFiles.single(address, name or ""), settings, storage, network_policy)
    return ArchiveDataset(
        address,
        checksum=settings.checksum,
        max_bytes=settings.max_bytes,
        storage=storage,
        name=name or "",
        network_policy=network_policy,
        wanted=columns_of(settings),
    )


def _matching(
    pattern: str, settings: Settings, storage: Storage, network_policy: NetworkPolicy
) -> ListDataset | ShardDataset:
    """Open the tables or the shards that match a pattern."""
    if is_pattern_of_tables(pattern):
        return _list(tables_matching(pattern), settings, storage, network_policy)
    return ShardDataset(pattern, columns_of(settings))


def _list(files: ListFiles, settings: Settings, storage: Storage, network_policy: NetworkPolicy) -> ListDataset:
    wanted, most = columns_of(settings), settings.max_bytes
    return ListDataset(files, storage=storage, max_bytes=most, network_policy=network_policy, wanted=wanted)


def _existing(local: str, *, encoded: bool) -> str:
    """The path of a local address; in a file address, `%20` is a blank unless a name has it."""
    path = _expanded(local)
    if encoded and not os.path.lexists(path) and os.path.lexists(_expanded(unquote(local))):
        return _expanded(unquote(local))
    return path


def _expanded(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111 - pathlib raises where there is no such user


def open_photos(
    source: Source, storage: Storage, network_policy: NetworkPolicy = PUBLIC, *, follow_links: bool = False
) -> PhotoSource:
    """Open the photos of a planned dataset, whose source it gave when the run was planned.

    `follow_links` is the setting.

    Raises `SettingsError` if no installed package knows the address's scheme, or the policy refuses
    it.
    """
    if source.url == "sample":
        return FolderPhotos(str(SAMPLE.resolve()))  # another process may have the package in another folder
    if source.kind == "archive":
        return ShardPhotos(storage)
    if source.kind == "urls":
        return UrlPhotos(network_policy.for_photos(source.url), source.root)
    # The manifest, too, may come from elsewhere; no plan has a root behind http(s).
    refuse_unchecked(source.root, PUBLIC if is_web(source.root) else network_policy)
    if source.kind == "shards":
        refuse_chained(source.root)  # a local folder's name may have :: in it
        return ShardPhotos(Storage(source.root))
    if local_path(source.root) is None:
        return BucketPhotos(source.root)
    return FolderPhotos(source.root, follow_links=follow_links)
