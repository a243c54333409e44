"""The settings that name columns, and the datasets that have columns."""

from __future__ import annotations

from meanface.dataset.bucket import BucketDataset
from meanface.dataset.folder import FolderDataset
from meanface.dataset.lists import ListDataset
from meanface.dataset.metadata import LabelledFolder
from meanface.dataset.one_photo import PhotoFile, PhotoObject, PhotoUrl
from meanface.dataset.photos import Dataset
from meanface.dataset.table.columns import ColumnNames
from meanface.errors import SettingsError
from meanface.settings import Labels, Settings


def columns_of(settings: Settings) -> ColumnNames:
    """The columns that the settings name."""
    labelled = settings.labels is Labels.COLUMN
    return ColumnNames(settings.url_column, settings.name_column, settings.label_column, labelled)


def refuse_columns(dataset: Dataset, settings: Settings, public: str) -> None:
    """Raise `SettingsError` for columns of a dataset that has none; `public` is its address."""
    wanted = columns_of(settings)
    if isinstance(dataset, ListDataset):
        return
    if isinstance(dataset, LabelledFolder):
        wanted = wanted._replace(url=None)  # of its metadata
    for setting, wish in (("url_column", wanted.url), ("name_column", wanted.name)):
        if wish is not None:
            raise SettingsError(f"{setting}={wish!r} is for a list of photos, which {public!r} is not: leave it out")
    if wanted.labelled and isinstance(dataset, FolderDataset | BucketDataset | PhotoFile | PhotoObject | PhotoUrl):
        raise SettingsError(
            f"{public!r} has no columns that labels could come from: labels=column is for lists, archives, shards, and "
            "local folders with a metadata.csv"
        )
