"""Labels of a folder's photos from tables beside them: `metadata.csv`, `.jsonl` or `.parquet`, as for Hugging Face.

Source: https://huggingface.co/docs/datasets/image_dataset#imagefolder
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from meanface.dataset.address import scheme
from meanface.dataset.folder import FolderDataset
from meanface.dataset.folder_photos import inside
from meanface.dataset.label_spool import LabelSpool
from meanface.dataset.passed_over import Account
from meanface.dataset.photos import PhotoUnreadable, printable, reason
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.table.columns import ColumnNames
from meanface.dataset.table.lines import DamagedList
from meanface.dataset.table.reader import read_rows
from meanface.dataset.table.references import label_text
from meanface.dataset.tables import files_below
from meanface.dataset.url_photos import public_name
from meanface.errors import DamagedArchive, DatasetNotFound, SettingsError

NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class LabelledFolder:
    """The photos of a folder, with labels from the tables of metadata in it; their paths are relative to the table."""

    def __init__(self, folder: FolderDataset, root: str, wanted: ColumnNames) -> None:
        self.folder, self._root, self._wanted = folder, root, wanted
        self._warnings: tuple[str, ...] = ()

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        found = self.folder.source
        return found.model_copy(update={"warnings": (*found.warnings, *self._warnings)})

    def list(self) -> Iterator[PhotoRef]:
        """Every photo of the folder; the metadata are read first."""
        self._warnings = ()
        with LabelSpool() as labels:
            self._read_all(labels)
            for photo in self.folder.list():
                yield photo._replace(label=labels.take(_key(photo.name)))
            unused, first = labels.unused()
        if unused:
            self._warn(f"{unused:,} rows of the metadata name no photo of the folder, such as {first!r}")

    def _warn(self, warning: str) -> None:
        self._warnings = (*self._warnings, warning)

    def has_tables(self) -> bool:
        """Whether the folder has metadata."""
        try:
            return next(self._tables(), None) is not None
        except OSError:  # `list` describes the error
            return True

    def _tables(self) -> Iterator[str]:
        return filter(_is_metadata, files_below(self._root, Account()))

    def _read_all(self, labels: LabelSpool) -> None:
        relabelled = 0
        try:
            found = sorted(self._tables())
            for path in found:
                relabelled += self._read(path, labels)
        except OSError as error:
            raise DatasetNotFound(
                f"dataset {printable(self._root)[0]!r}: its metadata cannot be read: {reason(error)}"
            ) from error
        if not found:
            raise SettingsError(
                f"labels=column: {printable(self._root)[0]!r} has no {', '.join(NAMES[:-1])} or {NAMES[-1]}. "
                "If its labels are in a table of another name, give that table as the dataset"
            )

        if relabelled:
            self._warn(f"{relabelled:,} rows of the metadata give a photo another label: the first row's label counts")

    def _read(self, path: str, labels: LabelSpool) -> int:
        """Read a table; how many of its rows give a photo another label than one before."""
        relabelled, name = 0, path[len(self._root) :].lstrip("/")
        what = f"the table {printable(name)[0]!r}"
        try:
            for row in read_rows(Path(inside(self._root, path)), name, what, self._wanted):
                relabelled += not labels.add_first(_photo_of(name, row.address.strip()), label_text(row.label))
        except DamagedList as damage:
            raise DamagedArchive(f"{what} cannot be read: {damage}") from damage
        except PhotoUnreadable as refused:
            raise DatasetNotFound(f"{what} cannot be read: {refused}") from refused
        return relabelled


def _is_metadata(path: str) -> bool:
    return posixpath.basename(path).lower() in NAMES


def _photo_of(table: str, address: str) -> str:
    """The name of the photo that a row of a table names, as a key."""
    if scheme(address):
        return public_name(address)  # of no photo; its address may have a password
    return _key(posixpath.normpath(posixpath.join(posixpath.dirname(table), address.replace("\\", "/"))))


def _key(name: str) -> str:
    """A photo's name in one form of Unicode: programs on a Mac write another one than Excel."""
    return unicodedata.normalize("NFC", printable(name)[0])
