"""Photos that lists name: by address, by path, or with their bytes in a Parquet table."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from meanface.dataset.address import local_path
from meanface.dataset.archive.local_copy import local_file
from meanface.dataset.archive.shards import ShardFolder, ShardWriter
from meanface.dataset.kinds import REPEATED_ROWS
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.passed_over import Account
from meanface.dataset.photos import printable, reason
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.spool import RefSpool
from meanface.dataset.table.columns import ColumnNames
from meanface.dataset.table.lines import DamagedList
from meanface.dataset.table.reader import ListPart, ListReader
from meanface.dataset.table.references import ListFolder
from meanface.errors import DamagedArchive, DatasetNotFound
from meanface.storage.files import without_credentials


class ListFile(NamedTuple):
    """One file of a list."""

    address: str
    name: str
    """below the root of several files; a single file's own name"""


class ListFiles(NamedTuple):
    """The files of a list: one, or several Parquet files."""

    address: str
    """of all of them"""
    files: tuple[ListFile, ...]
    root: str = ""
    """the local folder that holds several files"""
    passed_over: Account = Account()
    """files beside them"""

    @classmethod
    def single(cls, address: str, name: str = "") -> ListFiles:
        """One file, whose name is by default the one in its address."""
        return cls(address, (ListFile(address, name or posixpath.basename(address)),))


class ListDataset:
    """Every photo of a list; rows that repeat a photo are one photo.

    A local list may name photos below its folder. Photos in a table go to `shards`; one
    of more than `max_bytes` is listed, but not stored.
    """

    def __init__(
        self,
        files: ListFiles,
        *,
        shards: ShardFolder,
        max_bytes: int,
        network_policy: NetworkPolicy,
        wanted: ColumnNames,
    ) -> None:
        self._files, self._network_policy, self._wanted = files, network_policy, wanted
        self._shards, self._max_bytes = shards, max_bytes
        self._url = printable(without_credentials(files.address))[0]
        self._account, self._warnings = Account(), dict[str, None]()
        self._in_tables = False
        self._folder = ListFolder(files.root) if files.root else None
        self._local = False
        """whether any photo is a local file"""
        local = local_path(files.address)
        if local is not None and not files.root:
            if not Path(local).is_file():
                raise DatasetNotFound(f"dataset {self._url!r} does not exist: expected a list of photos")
            given = Path(local).parent
            self._folder = ListFolder(str(given.resolve()), str(given.absolute()))

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        return Source(
            url=self._url,
            kind="archive" if self._in_tables else "urls",
            root=self._folder.root if self._folder and self._local else "",
            passed_over=self._account.records(),
            warnings=tuple(self._warnings),
        )

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, in the list's order."""
        self._account, self._warnings, self._local = Account(), {}, False
        self._account.merge(self._files.passed_over)
        relabelled = 0
        with RefSpool() as spool:
            with ShardWriter(self._shards) as shards:
                reader = ListReader(self._wanted, shards, self._max_bytes)
                for file in self._files.files:
                    self._spool(file, spool, reader)
            self._warnings, self._in_tables = reader.warnings, True in reader.kinds
            for ref, first in spool.with_first():
                if first is None:
                    self._local = self._local or _is_local(ref)
                    yield ref
                elif self._wanted.name is None or (_place(first) == _place(ref) and not ref.refusal):
                    self._account.add(REPEATED_ROWS, ref.name)
                    relabelled += first.label != ref.label
                else:
                    refusal = "another row has its name: name photos by a column whose values differ (name_column)"
                    yield PhotoRef(ref.name, ref.size, refusal=ref.refusal or refusal, label=ref.label)
        if relabelled:
            self._warnings[f"{relabelled:,} rows repeat a photo with another label: the first row's label counts"] = (
                None
            )

    def _spool(self, file: ListFile, spool: RefSpool, reader: ListReader) -> None:
        """Add one file's photos to the spool."""
        several, folder = file.address != self._files.address, self._folder
        what = f"the list {(posixpath.join(self._url, printable(file.name)[0]) if several else self._url)!r}"
        if several and folder is not None:
            folder = folder._replace(below=posixpath.dirname(file.name))
        part = ListPart(file.name, what, folder, f"{printable(file.name)[0]} row" if several else "row")
        try:
            with local_file(file.address, self._network_policy) as path:
                for ref in reader.refs(path, part):
                    spool.add(ref)
        except DamagedList as damage:
            raise DamagedArchive(f"{what} is not readable as {part.form}: {damage}") from damage
        except OSError as error:
            raise DatasetNotFound(f"{what} cannot be read: {reason(error)}") from error


def _place(ref: PhotoRef) -> tuple[str, int]:
    return ref.source, ref.offset


def _is_local(ref: PhotoRef) -> bool:
    return not ref.refusal and ref.offset < 0 and "://" not in (ref.source or ref.name)
