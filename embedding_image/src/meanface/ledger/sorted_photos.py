"""All photos of a dataset in the order of the manifest, in bounded memory.

They are collected in parts. One part stays in memory. Several are sorted one by one, written to temporary files, and
merged from there: a merge sort (Knuth 1998, The Art of Computer Programming 3, section 5.4).
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa

from meanface.dataset.refs import PhotoRef
from meanface.dataset.scratch import scratch
from meanface.ledger.manifest import Digest, Partition
from meanface.ledger.partitioning import partitions, priorities
from meanface.ledger.photo_columns import BATCH, COLUMNS, WITH_LABEL, PhotoColumns, order
from meanface.ledger.photo_list import PhotoList

PART_BYTES = 256 << 20
"""memory of a part's columns; some two million photos"""


class _Rows(Protocol):
    """Photos in their order."""

    def __len__(self) -> int: ...

    def slice(self, positions: range) -> pa.Table:
        """Photos that follow one another."""
        ...

    def close(self) -> None:
        """Close the file, if there is one."""
        ...


class _InMemory:
    """Rows of a table that was not sorted itself: of large tables there is one in memory, not two."""

    def __init__(self, table: pa.Table) -> None:
        self._table, self._order = table, order(table)

    def __len__(self) -> int:
        return len(self._table)

    def slice(self, positions: range) -> pa.Table:
        return self._table.take(self._order.slice(positions.start, len(positions)))

    def close(self) -> None:
        pass


class _InFile:
    """Rows of a file of batches, all but the last of `BATCH` rows."""

    def __init__(self, path: Path) -> None:
        self._file = pa.OSFile(str(path))
        self._reader = pa.ipc.open_file(self._file)
        last = self._reader.num_record_batches - 1
        self._length: int = last * BATCH + self._reader.get_batch(last).num_rows

    def __len__(self) -> int:
        return self._length

    def slice(self, positions: range) -> pa.Table:
        first = positions.start // BATCH
        batches = [self._reader.get_batch(number) for number in range(first, -(-positions.stop // BATCH))]
        table = pa.Table.from_batches(batches, WITH_LABEL)
        return table.slice(positions.start - first * BATCH, len(positions)).combine_chunks()

    def close(self) -> None:
        self._file.close()


class SortedPhotos:
    """Photos by name; they are read once, in batches. A context manager: temporary files go at its end.

    Raises `StorageUnavailable` if the temporary folder is full.
    """

    def __init__(self, photos: Iterable[PhotoRef], part_bytes: int = PART_BYTES) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._labelled = False
        self._rows: _Rows = _InMemory(PhotoColumns().table())
        try:
            self._rows = self._sorted(iter(photos), part_bytes)
        except BaseException:
            self.close()
            raise

    def _sorted(self, photos: Iterator[PhotoRef], part_bytes: int) -> _Rows:
        columns, parts = PhotoColumns(), list[Path]()
        while batch := list(islice(photos, BATCH)):
            if columns.bytes >= part_bytes:
                parts.append(self._write_part(columns, len(parts)))
                columns = PhotoColumns()
            columns.extend(batch)
            self._labelled = self._labelled or columns.labelled
        if not parts:
            return _InMemory(columns.table())
        parts.append(self._write_part(columns, len(parts)))
        with scratch():
            path = _write(self._path("sorted"), _of_equal_length(_merged(parts)))
            for part in parts:
                part.unlink()
        return _InFile(path)

    def _write_part(self, columns: PhotoColumns, number: int) -> Path:
        rows = _InMemory(columns.table())
        with scratch():
            return _write(self._path(f"part-{number}"), map(rows.slice, _steps(len(rows))))

    def _path(self, name: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="meanface-")
        return Path(self._folder.name, name)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, positions: range) -> PhotoList:
        """Photos that follow one another, in memory."""
        table = self._rows.slice(positions)
        return PhotoList(table if self._labelled else table.select(COLUMNS.names))

    def __iter__(self) -> Iterator[PhotoRef]:
        for positions in _steps(len(self)):
            yield from self[positions]

    def partitions(self, most: int) -> list[range]:
        """Cut the list into partitions of at most `most` photos or, in a long list, more."""
        names = (self._rows.slice(positions)["name"].to_pylist() for positions in _steps(len(self)))
        return partitions(priorities(name for batch in names for name in batch), most)

    def partition(self, index: int, positions: range, overall: Digest, scope: str) -> Partition:
        """Summarise the photos of a partition, and add them to the digest; `scope` is for `address`."""
        part, own = self[positions], Digest()
        names = part.table["name"]
        for name, size in zip(names.to_pylist(), part.table["size"].to_pylist(), strict=True):
            own.update(name, size)
            overall.update(name, size)
        return Partition(
            index=index,
            photos=len(positions),
            first=names[0].as_py(),
            last=names[-1].as_py(),
            digest=own.hexdigest(),
            listing=part.listing(),
            chunks=len(part.chunks()),
            address=part.address(scope),
        )

    def close(self) -> None:
        """Remove temporary files."""
        self._rows.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _steps(length: int) -> Iterator[range]:
    return (range(start, min(start + BATCH, length)) for start in range(0, length, BATCH))


def _write(path: Path, tables: Iterable[pa.Table]) -> Path:
    """Write tables of at most `BATCH` rows as one batch each."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, WITH_LABEL, options=options) as writer:
        for table in tables:
            writer.write_table(table.combine_chunks(), BATCH)
    return path


def _of_equal_length(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut tables again, so that each but the last has `BATCH` rows."""
    rest = WITH_LABEL.empty_table()
    for table in tables:
        rest = pa.concat_tables([rest, table])
        whole = len(rest) - len(rest) % BATCH
        for start in range(0, whole, BATCH):
            yield rest.slice(start, BATCH)
        rest = rest.slice(whole).combine_chunks()
    if len(rest):
        yield rest


def _merged(parts: Sequence[Path]) -> Iterator[pa.Table]:
    """Merge sorted files; one batch of each is in memory.

    The smallest of the batches' last rows bounds the rows that can be passed on: what follows in any file is larger.
    """
    rest = [_batches(path) for path in parts]
    heads = [next(batches) for batches in rest]
    while heads:
        bound = min(_row(head, len(head) - 1) for head in heads)
        counts = [bisect_right(range(len(head)), bound, key=partial(_row, head)) for head in heads]
        ready = pa.concat_tables(
            [head.slice(0, count) for head, count in zip(heads, counts, strict=True)]
        ).combine_chunks()
        yield ready.take(order(ready))
        left = [
            (head.slice(count) if count < len(head) else next(batches, None), batches)
            for head, count, batches in zip(heads, counts, rest, strict=True)
        ]
        heads = [head for head, _ in left if head is not None]
        rest = [batches for head, batches in left if head is not None]


def _batches(path: Path) -> Iterator[pa.Table]:
    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(number)])


def _row(table: pa.Table, at: int) -> tuple[Any, ...]:
    return tuple(column[at].as_py() for column in table.columns)
