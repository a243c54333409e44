"""Photos behind the URLs of a CSV or Parquet list."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, Self
from urllib.parse import urlsplit

from meanface.dataset.account import Account
from meanface.dataset.address import is_bucket, is_web, local_path
from meanface.dataset.archive import fetched
from meanface.dataset.bucket import file_system, key_refusal, read_file
from meanface.dataset.hosts import Hosts, host_of
from meanface.dataset.kinds import REPEATED_ROWS
from meanface.dataset.photos import PhotoSource, PhotoUnreadable, printable, reading, reason, too_large
from meanface.dataset.spool import BATCH, Batch, RefSpool
from meanface.dataset.web import Web
from meanface.errors import DamagedArchive, DatasetNotFound, SettingsError
from meanface.manifest import UNKNOWN_SIZE, PhotoRef, Source
from meanface.reach import Reach
from meanface.sandbox import bounded
from meanface.storage import without_credentials

LONGEST_ROW = 1 << 20
"""characters"""
BUFFER = 1 << 20
"""bytes of a column that are read at once; without it, those of a whole row group"""
MOST_MEMORY = 1 << 28
"""bytes that reading Parquet may take, whatever its metadata say: page, dictionary and a batch are held at once"""
ROW_BYTES = 64
"""that a photo takes beside its name"""
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

    def __init__(self, address: str, *, parquet: bool, reach: Reach) -> None:
        self._address, self._parquet, self._reach = address, parquet, reach
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
            yield from self._bounded(self._parquet_rows(path), path) if self._parquet else self._csv_rows(path)
        except csv.Error as damaged:
            raise DamagedArchive(f"the list {self._url!r} is not CSV: {damaged}") from damaged
        except OSError as error:
            raise DatasetNotFound(f"dataset {self._url!r} cannot be read: {reason(error)}") from error

    def _bounded(self, rows: Iterator[str], path: Path) -> Iterator[str]:
        """The rows, while they are no bomb: a value that is in a dictionary once may stand in a million rows."""
        left = BOMB_RATIO * path.stat().st_size + BOMB_BYTES
        with bounded(MOST_MEMORY):
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
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            lines = _Lines(file)
            rows = csv.DictReader(lines, restval="")
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


def refusal_of(url: str) -> str:
    """Why a list may not name an address; empty where it may.

    A list may come from elsewhere, and so may a manifest: neither can make this machine read its own files.

    >>> refusal_of("https://photos.example/ada.jpg"), refusal_of("/etc/passwd")
    ('', 'its url is neither http(s) nor in a bucket')
    """
    if not url:
        return "its url is empty"
    if is_bucket(url):
        return key_refusal(url)
    return "" if is_web(url) else "its url is neither http(s) nor in a bucket"


def public_name(url: str) -> str:
    """An address as a name: without credentials, but still another one where only the query differs.

    >>> public_name("https://photos.example/ada.jpg")
    'https://photos.example/ada.jpg'
    >>> public_name("https://photos.example/show?photo=1")
    'https://photos.example/show#d7e1fd873a2e'
    """
    try:
        shown, query = without_credentials(url), urlsplit(url).query if is_web(url) else ""
    except ValueError:
        return ""
    return f"{shown}#{hashlib.sha256(query.encode()).hexdigest()[:12]}" if query else shown


class UrlPhotos(PhotoSource):
    """Reads photos behind http(s) and bucket addresses.

    Parameters
    ----------
    reach
        where photos behind http(s) may be; buckets are at the deployment's own endpoints
    """

    def __init__(self, reach: Reach) -> None:
        super().__init__()
        self._web = Web(reach)
        self._hosts = Hosts(self._closed)

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:
        address = ref.source or ref.name
        if is_web(address):
            with self._hosts.attempt(host_of(address)) as patience:
                return self._web.read(address, max_bytes, patience)
        if refusal := refusal_of(address):  # again: what was planned may have been replaced
            raise PhotoUnreadable(refusal)
        try:
            fs, path = file_system(address)
        except SettingsError as unknown:
            raise PhotoUnreadable(str(unknown)) from unknown
        with reading():
            size = int(fs.info(path)["size"])
        if size > max_bytes:
            raise too_large(size, max_bytes)
        return read_file(fs, path, size)

    def close(self) -> None:
        """End waits between attempts, and release connections."""
        super().close()
        self._web.close()
