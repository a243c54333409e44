"""Datasets: a folder, a bucket prefix, an archive, a set of tar shards, a list of photos, or single photos.

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

from meanface.dataset.address import is_web, local_path, refuse_chained, refuse_unchecked
from meanface.dataset.address import resolve as fill_dates
from meanface.dataset.archive.archive import ArchiveDataset
from meanface.dataset.archive.shards import ShardPhotos
from meanface.dataset.bucket import BucketPhotos
from meanface.dataset.by_address import SAMPLE, dataset_at, expanded
from meanface.dataset.choice import chosen
from meanface.dataset.column_settings import refuse_columns
from meanface.dataset.folder import FolderDataset
from meanface.dataset.folder_photos import FolderPhotos
from meanface.dataset.metadata import LabelledFolder
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.one_photo import is_photo_url
from meanface.dataset.photos import Dataset, PhotoSource, PhotoTooLarge, PhotoUnreadable, printable
from meanface.dataset.refs import Source
from meanface.dataset.url_photos import UrlPhotos
from meanface.errors import SettingsError
from meanface.settings import Settings
from meanface.storage.files import Storage, without_credentials

__all__ = [
    "SAMPLE",
    "Dataset",
    "PhotoSource",
    "PhotoTooLarge",
    "PhotoUnreadable",
    "canonical_address",
    "open_dataset",
    "open_photos",
    "resolve",
]


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
    dataset = dataset_at(settings, storage, network_policy.for_dataset(settings.dataset))
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
    return address if local is not None and os.path.lexists(expanded(local)) else fill_dates(address, date)


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
        one = is_photo_url(source.url)  # no list has a photo's suffix
        policy = (network_policy.for_dataset if one else network_policy.for_photos)(source.url)
        return UrlPhotos(policy, source.root)
    # The manifest, too, may come from elsewhere; no plan has a root behind http(s).
    refuse_unchecked(source.root, PUBLIC if is_web(source.root) else network_policy)
    if source.kind == "shards":
        refuse_chained(source.root)  # a local folder's name may have :: in it
        return ShardPhotos(Storage(source.root))
    if local_path(source.root) is None:
        return BucketPhotos(source.root)
    return FolderPhotos(source.root, follow_links=follow_links)
