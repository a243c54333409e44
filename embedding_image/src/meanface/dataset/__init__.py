"""Where photos come from: a folder, a bucket prefix, an archive, a set of tar shards, or a list of URLs.

::

    dataset = open_dataset(settings, storage)
    for ref in dataset.list():  # while planning; streamed
        ...
    source = dataset.source  # part of the manifest

    with open_photos(source, storage) as photos:  # while embedding, in another process
        data = photos.read(ref, max_bytes)

What is wrong with a dataset as a whole is an error of `list`; what is wrong with one photo is the `refusal` of its
reference, or a `PhotoUnreadable` of `read`.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from meanface.dataset.address import (
    ARCHIVE_SUFFIXES,
    LIST_SUFFIXES,
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
from meanface.dataset.folder import FolderDataset
from meanface.dataset.folder_photos import FolderPhotos
from meanface.dataset.http.download import name_on_server
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.photos import Dataset, PhotoSource, PhotoTooLarge, PhotoUnreadable, printable, reason
from meanface.dataset.refs import Source
from meanface.dataset.url_photos import UrlPhotos
from meanface.dataset.urls import UrlDataset
from meanface.errors import DatasetNotFound, SettingsError
from meanface.settings import Settings
from meanface.storage.files import Storage, without_credentials

__all__ = [
    "Dataset",
    "PhotoSource",
    "PhotoTooLarge",
    "PhotoUnreadable",
    "open_dataset",
    "open_photos",
    "resolve",
    "whole_address",
]

SAMPLE = Path(__file__).parent / "sample" / "photos"
LFW = "https://ndownloader.figshare.com/files/5976018"
"""Labeled Faces in the Wild; its original host is gone, this is the copy that scikit-learn uses"""
LFW_CHECKSUM = "md5:a17d05bd522c52d84eca14327a23d494"


def open_dataset(settings: Settings, storage: Storage, network_policy: NetworkPolicy = PUBLIC) -> Dataset:
    """The dataset that the settings name, date fields already filled in.

    Parameters
    ----------
    settings
        of the run; `dataset`, `checksum` and `max_bytes` matter here
    storage
        the run's files; the shards of an archive go there
    reach
        where the dataset may be; whether it is there is seen when it is connected to

    Raises
    ------
    DatasetNotFound
        nothing is at the address
    SettingsError
        the address cannot be used or is out of reach, or a checksum is given for something that is no single archive
    StorageUnavailable
        a server that was asked what it has is away
    """
    try:
        shown = without_credentials(settings.dataset)
    except ValueError as wrong:  # not shown: who knows where its password is
        raise SettingsError(f"the dataset is not a valid address: {wrong}") from None
    if not is_web(settings.dataset):
        refuse_unchecked(settings.dataset, network_policy)
    dataset = _dataset(settings, storage, network_policy.to_dataset(settings.dataset))
    if settings.checksum and not isinstance(dataset, ArchiveDataset):
        raise SettingsError(
            f"checksum={settings.checksum} is for a single archive, which {shown!r} is not: leave it out"
        )
    return dataset


def whole_address(address: str) -> str:
    """One text for all ways to name a dataset of this machine: its whole path, links followed; any other as it is."""
    local = local_path(address)
    if local is None or address in ("sample", "lfw"):
        return address
    return printable(os.path.realpath(Path(local).expanduser()))[0]


def _dataset(settings: Settings, storage: Storage, network_policy: NetworkPolicy) -> Dataset:
    address = settings.dataset
    local = local_path(address)
    if address == "sample":
        return FolderDataset(SAMPLE, url="sample")
    if address == "lfw":
        known = settings.model_copy(update={"checksum": settings.checksum or LFW_CHECKSUM})
        return _archive(LFW, known, storage, network_policy, name="lfw.tgz")
    if local is not None:
        return _local_dataset(_existing(local, encoded=scheme(address) == "file"), settings, storage, network_policy)
    return _remote_dataset(address, settings, storage, network_policy)


def _remote_dataset(address: str, settings: Settings, storage: Storage, network_policy: NetworkPolicy) -> Dataset:
    if is_glob(address):
        return ShardDataset(address)
    name = base_name(address)
    if is_web(address) and not has_suffix(name, (*ARCHIVE_SUFFIXES, *LIST_SUFFIXES)):
        name = name_on_server(address, network_policy) or name
    if has_suffix(name, LIST_SUFFIXES):
        return UrlDataset(address, parquet=has_suffix(name, (".parquet",)), network_policy=network_policy)
    if is_web(address) or has_suffix(name, ARCHIVE_SUFFIXES):
        return _archive(address, settings, storage, network_policy, name=name)
    return BucketDataset(address)


def resolve(address: str, date: datetime | None) -> str:
    """The address with its date fields filled in, see `meanface.dataset.address.resolve`.

    The path of something that is there stays as it is: a folder may be called `100% mine`.
    """
    local = local_path(address)
    return address if local is not None and os.path.lexists(_home(local)) else fill_dates(address, date)


def _existing(local: str, *, encoded: bool) -> str:
    """The path of a local address; in a file address, where nothing has that name, `%20` is a blank."""
    path = _home(local)
    if encoded and not os.path.lexists(path) and os.path.lexists(_home(unquote(local))):
        return _home(unquote(local))
    return path


def _home(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111 - pathlib raises where there is no such user


def _local_dataset(path: str, settings: Settings, storage: Storage, network_policy: NetworkPolicy) -> Dataset:
    """What is there decides before what it is called: a folder may be named photos.zip, or [2026]."""
    try:
        if Path(path).is_dir():
            return FolderDataset(Path(path))
        if is_glob(path) and not Path(path).exists():
            return ShardDataset(path)
        if has_suffix(path, LIST_SUFFIXES):
            return UrlDataset(path, parquet=has_suffix(path, (".parquet",)), network_policy=network_policy)
        return _archive(path, settings, storage, network_policy)
    except OSError as error:
        raise DatasetNotFound(f"dataset {printable(path)[0]!r} cannot be reached: {reason(error)}") from error


def _archive(
    address: str, settings: Settings, storage: Storage, network_policy: NetworkPolicy, *, name: str = ""
) -> ArchiveDataset:
    return ArchiveDataset(
        address,
        checksum=settings.checksum,
        max_bytes=settings.max_bytes,
        storage=storage,
        name=name,
        network_policy=network_policy,
    )


def open_photos(source: Source, storage: Storage, network_policy: NetworkPolicy = PUBLIC) -> PhotoSource:
    """Reads the photos of a planned dataset; a context manager, safe to use from several threads.

    Parameters
    ----------
    source
        as the dataset gave it when the run was planned
    storage
        the run's files
    reach
        where photos behind http(s) may be

    Raises
    ------
    SettingsError
        nothing installed knows the address's scheme, or it is out of reach
    """
    if source.url == "sample":
        return FolderPhotos(str(SAMPLE.resolve()))  # another process may have the package at another place
    if source.kind == "archive":
        return ShardPhotos(storage)
    if source.kind == "urls":
        return UrlPhotos(network_policy.to_photos(source.url))
    # The manifest, too, may be somebody else's; no plan has a root behind http(s).
    refuse_unchecked(source.root, PUBLIC if is_web(source.root) else network_policy)
    if source.kind == "shards":
        refuse_chained(source.root)  # a local folder's name may have :: in it
        return ShardPhotos(Storage(source.root))
    return FolderPhotos(source.root) if local_path(source.root) else BucketPhotos(source.root)
