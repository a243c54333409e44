"""Settings that fit some kinds of datasets only."""

from __future__ import annotations

from collections.abc import Sequence

from meanface.dataset.archive.archive import ArchiveDataset
from meanface.dataset.bucket import BucketDataset
from meanface.dataset.column_settings import columns_of
from meanface.dataset.folder import FolderDataset
from meanface.dataset.lists import ListDataset
from meanface.dataset.metadata import LabelledFolder
from meanface.dataset.one_photo import PhotoFile, PhotoObject, PhotoUrl
from meanface.dataset.photos import Dataset
from meanface.errors import SettingsError
from meanface.settings import Settings

WITHOUT_COLUMNS = (FolderDataset, BucketDataset, PhotoFile, PhotoObject, PhotoUrl)


def misfits(dataset: Dataset, settings: Settings, public: str) -> dict[str, str]:
    """Settings that do not fit a dataset, with the reasons; `public` is its address."""
    found, wanted = {}, columns_of(settings)
    if settings.checksum and not isinstance(dataset, ArchiveDataset):
        found["checksum"] = (
            f"checksum={settings.checksum} is for a single archive, which {public!r} is not: leave it out"
        )
    if settings.follow_links and not isinstance(dataset, FolderDataset | LabelledFolder):
        found["follow_links"] = f"follow_links is for a local folder, which {public!r} is not: leave it out"
    if isinstance(dataset, ListDataset):
        return found
    if isinstance(dataset, LabelledFolder):
        wanted = wanted._replace(url=None)  # of its metadata
    for setting, wish in (("url_column", wanted.url), ("name_column", wanted.name)):
        if wish is not None:
            found[setting] = f"{setting}={wish!r} is for a list of photos, which {public!r} is not: leave it out"
    if wanted.labelled and isinstance(dataset, WITHOUT_COLUMNS):
        found["labels"] = (
            f"{public!r} has no columns that labels could come from: labels=column is for lists, archives, shards, and "
            "local folders with a metadata.csv"
        )
    return found


def refuse_misfits(of_each: Sequence[dict[str, str]]) -> None:
    """Raise `SettingsError` for a setting that fits none of the datasets."""
    for setting, why in of_each[0].items():
        if all(setting in misfit for misfit in of_each):
            raise SettingsError(why)
