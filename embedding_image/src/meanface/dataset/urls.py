"""Photos behind the URLs of a CSV or Parquet list."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Self

from meanface.dataset.address import is_web, local_path
from meanface.dataset.archive.local_copy import fetched
from meanface.dataset.content import START, UNKNOWN, Content, identify
from meanface.dataset.kinds import REPEATED_ROWS
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.passed_over import Account
from meanface.dataset.photos import printable, reason
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef, Source
from meanface.dataset.spool import BATCH, Batch, RefSpool
from meanface.dataset.url_photos import public_name, refusal_of
from meanface.errors import DamagedArchive, DatasetNotFound, SettingsError
from meanface.storage.files import without_credentials
from meanface.system import bounded

LONGEST_ROW = 1 << 20
"""characters"""
BUFFER = 1 << 20
"""bytes of a column that are read at once; without it, those of a whole row group"""
MOST_MEMORY = 1 << 28
"""bytes that reading Parquet may take, whatever its metadata say: page, dictionary and a batch are held at once"""
ROW_BYTES = 64
"""that a photo takes beside its name"""
_TEXTS = {"a text", "gzip data", UNKNOWN, "an empty file"}
"""what a list may be that has other columns"""
BOMB_RATIO, BOMB_BYTES = 200, 1 << 28
"""A list may stand for so many times its own bytes, and so many more: all its names are held while planning."""


class UrlDataset:
    """Every photo of a list with the column `url`. Other columns are not used.

    The URL is the photo's identity: rows that repeat one are one photo.

    Parameters
    ----------
    address
        of the list: a local path, an http(s) or a bucket address
    parquet
        the list's format: Parquet, or CSV in UTF-8 with a header
    reach
        where the list may be
    """

    def __init__(self, address: str, *, parquet: bool, network_policy: NetworkPolicy) -> None:
        self._address, self._parquet, self._reach = address, parquet, network_policy
        self._url = printable(without_credentials(address))[0]
        self._account = Account()
        self._warnings: tuple[str, ...] = ()
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
            with fetched(self._address, self._reach) as path:
                batch = Batch(spool)
                for number, url in enumerate(self._rows(path), start=1):
                    batch.add(ref_of(url, number))
                batch.flush()
            for ref, repeated in spool.marked(keep="first"):
                if repeated:
                    self._account.add(REPEATED_ROWS, ref.name)
                else:
                    yield ref

    def _rows(self, path: Path) -> Iterator[str]:
        try:
            with bounded(MOST_MEMORY) if self._parquet else nullcontext():
                yield from self._no_bomb(self._parquet_rows(path) if self._parquet else self._csv_rows(path), path)
        except (csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as damaged:
            raise DamagedArchive(f"the list {self._url!r} is not CSV: {damaged}") from damaged
        except OSError as error:
            raise DatasetNotFound(f"dataset {self._url!r} cannot be read: {reason(error)}") from error

    def _no_bomb(self, rows: Iterator[str], path: Path) -> Iterator[str]:
        """The rows, while they are no bomb: a value that is in a dictionary once may stand in a million rows."""
        left = BOMB_RATIO * path.stat().st_size + BOMB_BYTES
        for url in rows:
            left -= len(url) + ROW_BYTES
            if len(url) > LONGEST_ROW:
                raise DamagedArchive(f"the list {self._url!r}: a row has more than {LONGEST_ROW:,} characters")
            if left < 0:
                raise DamagedArchive(
                    f"the list {self._url!r} stands for {BOMB_RATIO} times its own bytes and more: it is taken for "
                    "a bomb"
                )
            yield url

    def _csv_rows(self, path: Path) -> Iterator[str]:
        csv.field_size_limit(LONGEST_ROW)  # captions are longer than Python's 128 KiB; rows are bounded by `_Lines`
        with path.open("rb") as file:
            start = file.read(START)
        # Servers also send a list compressed (`Content-Encoding`) that was asked for as it is.
        opener: Callable[..., IO[str]] = gzip.open if start.startswith(b"\x1f\x8b") else open
        with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            lines = _Lines(file)
            rows = csv.DictReader(lines, restval="")
            if "url" not in (rows.fieldnames or ()):
                self._refuse_other(identify(start))
            self._check(rows.fieldnames or ())
            for row in rows:
                lines.row = 0
                yield row["url"]

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
                f"the list {self._url!r} takes more than {MOST_MEMORY >> 20} MiB of memory to read: write it with "
                "smaller pages and dictionaries"
            ) from None
        except (pa.ArrowException, OSError, ValueError) as damaged:
            if isinstance(damaged, OSError) and damaged.errno:  # the system's; what has no number is about the file
                raise
            raise DamagedArchive(f"the list {self._url!r} is not a readable Parquet file: {damaged}") from damaged

    def _refuse_other(self, content: Content) -> None:
        if content.name not in _TEXTS:
            raise DamagedArchive(f"the list {self._url!r} is not CSV but {content}")

    def _check(self, columns: Collection[str]) -> None:
        if "url" not in columns:
            names = [printable(name or "")[0] for name in columns]
            found = ", ".join(map(repr, names)) or "none"
            raise SettingsError(f"the list {self._url!r} has no column 'url'; its columns are: {found}{_hint(names)}")
        if "name" in columns:
            self._warnings = ("the list's column 'name' is not used: a photo's name is its URL",)


def _hint(columns: Iterable[str]) -> str:
    """What to do about a list whose columns are these."""
    first = next(iter(columns), "")
    if any("\0" in name for name in columns):
        return ". It is not in UTF-8: save it as `CSV UTF-8`"
    if any(mark in first for mark in ";\t|"):
        return ". Separate its columns with commas"
    if other := next((name for name in columns if name.strip().lower() == "url"), ""):
        return f". Rename {other!r} to 'url'"
    return ". Put a line `url` before its first address" if is_web(first.strip()) else ""


class _Lines:
    """Lines of a CSV file; a row that goes on and on would be held in memory as a whole."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.row = 0
        """characters of the current row"""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_ROW)
        self.row += len(line)
        if self.row >= LONGEST_ROW:
            raise csv.Error(f"a row has more than {LONGEST_ROW:,} characters")
        if not line:
            raise StopIteration
        return line


def ref_of(url: str, number: int) -> PhotoRef:
    """One row of a list as a photo; rows are numbered from 1.

    Its name is the address without what is secret in it, or never sent: credentials, query, fragment.
    """
    url, refusal = printable(url.strip())
    name = public_name(url) or f"row {number}"
    refusal = refusal_of(url) or refusal
    source = "" if refusal or url == name else url  # a million addresses need not be held twice
    return PhotoRef(name, UNKNOWN_SIZE, source=source, refusal=refusal)
