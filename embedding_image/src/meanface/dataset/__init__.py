"""Datasets: a folder, a bucket prefix, an archive, tar shards, a list of photos, one photo; or several of these.

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
from collections.abc import Sequence
from datetime import datetime

from meanface.dataset.address import is_web, local_path, refuse_chained, refuse_unchecked, scheme
from meanface.dataset.address import resolve as fill_dates
from meanface.dataset.addresses import addresses, folder_names
from meanface.dataset.archive.shards import ShardFolder, ShardPhotos
from meanface.dataset.bucket import BucketPhotos
from meanface.dataset.by_address import BUILT_IN, SAMPLE, dataset_at, existing_path, expanded
from meanface.dataset.choice import chosen
from meanface.dataset.fitting_settings import misfits, refuse_misfits
from meanface.dataset.folder_photos import FolderPhotos
from meanface.dataset.metadata import LabelledFolder
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.one_photo import is_photo_url
from meanface.dataset.photos import Dataset, PhotoSource, PhotoTooLarge, PhotoUnreadable, printable
from meanface.dataset.refs import Source
from meanface.dataset.several import SeveralDataset, SeveralPhotos
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


MOST_DATASETS = 1000
"""of one run"""


def open_dataset(settings: Settings, storage: Storage, network_policy: NetworkPolicy = PUBLIC) -> Dataset:
    """Open the dataset that the settings name, with their choice of photos; date fields are filled in already.

    Several datasets, one a line, are folders of one. The shards of an archive go to `storage`, the
    run's files. The policy is checked when a connection is made. Raises `DatasetNotFound` if nothing
    is at the address, `SettingsError` if it cannot be used or a setting does not fit it, and
    `StorageUnavailable` if a server that was asked for the file's name does not respond.
    """
    given = addresses(settings.dataset)
    if len(given) > 1:
        return chosen(_several(given, settings, storage, network_policy), settings)
    dataset, public = _one(given[0], settings, ShardFolder(storage), network_policy)
    refuse_misfits([misfits(dataset, settings, public)])
    return chosen(dataset, settings)


def _one(address: str, settings: Settings, shards: ShardFolder, network_policy: NetworkPolicy) -> tuple[Dataset, str]:
    """Open one dataset; also its address without credentials."""
    try:
        public = without_credentials(address)
    except ValueError as error:  # the address is not quoted: it cannot be split, so any part may be a password
        raise SettingsError(f"the dataset is not a valid address: {error}") from None
    if not is_web(address):
        refuse_unchecked(address, network_policy)
    settings = settings.model_copy(update={"dataset": address})
    return dataset_at(settings, shards, network_policy.for_dataset(address)), public


def _several(
    given: Sequence[str], settings: Settings, storage: Storage, network_policy: NetworkPolicy
) -> SeveralDataset:
    """Open several datasets. A setting is refused if it fits none of them."""
    if len(given) > MOST_DATASETS:
        raise SettingsError(
            f"{len(given):,} datasets, more than {MOST_DATASETS:,}: give their folder, a list, or a glob in quotes, "
            "which your shell leaves as it is: 'photos/*.jpg'"
        )
    if settings.checksum:
        raise SettingsError(
            f"checksum={settings.checksum} is for a single archive, and these are {len(given)} datasets: leave it out"
        )
    parts, found, known = list[Dataset](), list[dict[str, str]](), set[str]()
    for number, address in enumerate(given):
        part, public = _one(address, settings, ShardFolder(storage, f"shards/{number}"), network_policy)
        same = address if is_web(address) else _canonical(address).rstrip("/")
        if same in known:
            raise SettingsError(f"dataset {public!r} is given twice: its photos would count twice")
        known.add(same)
        misfit = misfits(part, settings, public)
        if isinstance(part, LabelledFolder) and not part.has_tables():
            part = part.folder  # its photos have no label
            misfit |= misfits(part, settings, public)
        parts.append(part)
        found.append(misfit)
    refuse_misfits(found)
    return SeveralDataset(dict(zip(folder_names(given), parts, strict=True)))


def canonical_address(dataset: str) -> str:
    """The absolute path of a local dataset, links followed; any other address as it is; one a line."""
    return "\n".join(map(_canonical, addresses(dataset)))


def _canonical(address: str) -> str:
    local = local_path(address)
    if local is None or address in BUILT_IN:
        return address
    return printable(os.path.realpath(existing_path(local, encoded=scheme(address) == "file")))[0]


def resolve(dataset: str, date: datetime | None) -> str:
    """Fill in the date fields of every address, see `meanface.dataset.address.resolve`.

    A path that exists stays as it is: a folder may be called `100% mine`.
    """
    return "\n".join(_filled(address, date) for address in addresses(dataset))


def _filled(address: str, date: datetime | None) -> str:
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
    if source.kind == "several":
        parts = {part.name: _photos(part.source, storage, network_policy, follow_links) for part in source.parts}
        return SeveralPhotos(parts)
    return _photos(source, storage, network_policy, follow_links)


def _photos(source: Source, storage: Storage, network_policy: NetworkPolicy, follow_links: bool) -> PhotoSource:
    """Open the photos of one dataset."""
    if source.kind == "several":
        raise SettingsError("the plan has several datasets in one of several datasets: plan the run again")
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
