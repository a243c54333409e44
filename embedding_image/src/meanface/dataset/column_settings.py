"""The settings that name columns."""

from __future__ import annotations

from meanface.dataset.table.columns import ColumnNames
from meanface.settings import Labels, Settings


def columns_of(settings: Settings) -> ColumnNames:
    """The columns that the settings name."""
    labelled = settings.labels is Labels.COLUMN
    return ColumnNames(settings.url_column, settings.name_column, settings.label_column, labelled)
