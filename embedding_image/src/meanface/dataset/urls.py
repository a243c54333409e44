"""Photos behind the URLs of a CSV or Parquet list."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from meanface.dataset.address import is_web, local_path
from meanface.dataset.archive.local_copy import local_file
from meanface.dataset.content import START, UNKNOWN, identify
from meanface.dataset.kinds import REPEATED_ROWS
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.passed_over import Account
from meanface.dataset.photos import printable, reason
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef, Source
from meanface.dataset.spool import RefSpool
from meanface.dataset.url_photos import public_name, refusal_of
from meanface.errors import DamagedArchive, DatasetNotFound, SettingsError
from meanface.storage.files import without_credentials
from meanface.system import bounded

BATCH = 1000
"""rows of Parquet that are read at once"""
LONGEST_ROW = 1 << 20
"""characters"""
BUFFER = 1 << 20
"""bytes of a column that are read at once, rather than a whole row group"""
MOST_MEMORY = 1 << 28
"""bytes for reading Parquet: page, dictionary and a batch are held at once"""
ROW_BYTES = 64
"""memory of a photo beside its name"""
_TEXTS = {"a text", "gzip data", UNKNOWN, "an empty file"}
"""contents that may be a CSV file with other columns"""
BOMB_RATIO, BOMB_BYTES = 200, 1 << 28
"""Limit of the size of a list's names, as a multiple of its own bytes plus a constant: planning holds all names."""


class UrlDataset:
    """Every photo of a list with the column `url`; rows that repeat a URL are one photo.

    The list is Parquet, or else CSV in UTF-8 with a header.
    """

    def __init__(self, address: str, *, parquet: bool, network_policy: NetworkPolicy) -> None:
        self._address, self._parquet, self._network_policy = address, parquet, network_policy
        self._url = printable(without_credentials(address))[0]
        self._account = Account()
        self._warnings: tuple[str, ...] = ()
        self._row = 0
        """characters of the current row"""
        local = local_path(address)
        if local is not None and not Path(local).is_file():
            raise DatasetNotFound(f"dataset {self._url!r} does not exist: expected a list of URLs")

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        return Source(url=self._url, kind="urls", root="", passed_over=self._account.records(), warnings=self._warnings)

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, in the list's order."""
        self._account, self._warnings = Account(), ()
        with RefSpool() as spool:
            with local_file(self._address, self._network_policy) as path:
                for number, url in enumerate(self._rows(path), start=1):
                    spool.add(ref_of(url, number))
            for ref, repeated in spool.with_duplicates(keep="first"):
                if repeated:
                    self._account.add(REPEATED_ROWS, ref.name)
                else:
                    yield ref

    def _rows(self, path: Path) -> Iterator[str]:
        try:
            with bounded(MOST_MEMORY) if self._parquet else nullcontext():
                yield from self._bounded(self._parquet_rows(path) if self._parquet else self._csv_rows(path), path)
        except (csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as damaged:
            raise DamagedArchive(f"the list {self._url!r} is not CSV: {damaged}") from damaged
        except OSError as error:
            raise DatasetNotFound(f"dataset {self._url!r} cannot be read: {reason(error)}") from error

    def _bounded(self, rows: Iterator[str], path: Path) -> Iterator[str]:
        """Bound the bytes of rows: in Parquet, a million may share one value of a dictionary."""
        left = BOMB_RATIO * path.stat().st_size + BOMB_BYTES
        for url in rows:
            left -= len(url) + ROW_BYTES
            if len(url) > LONGEST_ROW:
                raise DamagedArchive(f"the list {self._url!r}: a row has more than {LONGEST_ROW:,} characters")
            if left < 0:
                raise DamagedArchive(
                    f"the list {self._url!r} expands to more than {BOMB_RATIO} times its own bytes, as a "
                    "decompression bomb does: split it into several lists"
                )
            yield url

    def _csv_rows(self, path: Path) -> Iterator[str]:
        csv.field_size_limit(LONGEST_ROW)  # captions may exceed Python's 128 KiB; `_lines` bounds rows
        with path.open("rb") as file:
            start = file.read(START)
        # Some servers compress a list (`Content-Encoding`) although the request forbids it.
        opener: Callable[..., IO[str]] = gzip.open if start.startswith(b"\x1f\x8b") else open
        with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(self._lines(file), restval="")
            if "url" not in (rows.fieldnames or ()):
                content = identify(start)
                if content.name not in _TEXTS:
                    raise DamagedArchive(f"the list {self._url!r} is not CSV, but {content}")
            self._check(rows.fieldnames or ())
            for row in rows:
                self._row = 0
                yield row["url"]

    def _lines(self, file: IO[str]) -> Iterator[str]:
        """The lines of a CSV file; bounds a row, which the reader holds in memory."""
        self._row = 0
        while line := file.readline(LONGEST_ROW):
            self._row += len(line)
            if self._row >= LONGEST_ROW:
                raise csv.Error(f"a row has more than {LONGEST_ROW:,} characters")
            yield line

    def _parquet_rows(self, path: Path) -> Iterator[str]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path, buffer_size=BUFFER) as file:
                self._check(file.schema_arrow.names)
                for batch in file.iter_batches(batch_size=BATCH, columns=["url"], use_threads=False):
                    yield from ((url or "") for url in batch.column("url").cast(pa.string()).to_pylist())
        except MemoryError:
            raise DamagedArchive(
                f"reading the list {self._url!r} takes more than {MOST_MEMORY >> 20} MiB of memory: write it with "
                "smaller pages and dictionaries"
            ) from None
        except (pa.ArrowException, OSError, ValueError) as damaged:
            if isinstance(damaged, OSError) and damaged.errno:  # of the system, not of the file
                raise
            raise DamagedArchive(f"the list {self._url!r} is not a readable Parquet file: {damaged}") from damaged

    def _check(self, columns: Collection[str]) -> None:
        if "url" not in columns:
            names = [printable(name or "")[0] for name in columns]
            found = ", ".join(map(repr, names)) or "none"
            raise SettingsError(f"the list {self._url!r} has no column 'url'; its columns are: {found}{_hint(names)}")
        if "name" in columns:
            self._warnings = ("the list's column 'name' is not used: a photo's name is its URL",)


def _hint(columns: Iterable[str]) -> str:
    """Advice about a list with these columns and no `url`."""
    first = next(iter(columns), "")
    if any("\0" in name for name in columns):
        return ". It is not in UTF-8: save it as `CSV UTF-8`"
    if any(mark in first for mark in ";\t|"):
        return ". Separate its columns with commas"
    if other := next((name for name in columns if name.strip().lower() == "url"), ""):
        return f". Rename {other!r} to 'url'"
    return ". Put a line `url` before its first address" if is_web(first.strip()) else ""


def ref_of(url: str, number: int) -> PhotoRef:
    """Make the reference of a row of a list; rows are numbered from 1.

    Its name has no credentials, query or fragment (see `public_name`).
    """
    url, refusal = printable(url.strip())
    name = public_name(url) or f"row {number}"
    refusal = refusal_of(url) or refusal
    source = "" if refusal or url == name else url  # a million addresses are not held twice
    return PhotoRef(name, UNKNOWN_SIZE, source=source, refusal=refusal)
