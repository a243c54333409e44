"""The photos of a manifest as Arrow columns: sorted once, then one Parquet file per partition.

Columns take a tenth of the memory of Python objects.

The *content address* of a list identifies its computation and bytes: SHA-256 over its scope (recipe
and dataset) and the photos' names, sizes, versions and own labels. Partitions with the same address
have the same ledger, in whichever run and place. A list with a photo of unknown version has no address.
"""

from __future__ import annotations

import hashlib
import io
import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meanface.dataset.refs import PhotoRef
from meanface.errors import DamagedRecord
from meanface.ledger.chunk import CHUNK_PHOTOS
from meanface.ledger.manifest import Digest, Partition
from meanface.ledger.partitioning import partitions, parts, priorities
from meanface.storage.checksum import check_parquet, seal_parquet
from meanface.storage.parquet import read_table

COLUMNS = pa.schema(
    [
        pa.field("name", pa.large_string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("source", pa.large_string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("refusal", pa.large_string(), nullable=False),
        pa.field("version", pa.large_string(), nullable=False),
    ]
)
"""the fields of `PhotoRef`, but for the label"""
LABEL = pa.field("label", pa.large_string(), nullable=False)
"""a last column, if any photo has a label of its own"""

_BATCH = 16_384

pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own pools keep 50 % more for a million photos


class _Numbers:
    """A column of integers that grows in place until `array` returns it, and never exists twice."""

    def __init__(self) -> None:
        self._values = array("q")

    def extend(self, values: Iterable[int]) -> None:
        self._values.extend(values)

    def array(self) -> pa.Array:
        return pa.Array.from_buffers(pa.int64(), len(self._values), [None, pa.py_buffer(self._values)])


class _Texts:
    """The same for strings."""

    def __init__(self, empty: int = 0) -> None:
        """Begin with some empty strings."""
        self._ends, self._bytes = array("q", [0]) * (empty + 1), bytearray()

    def extend(self, values: Iterable[str]) -> None:
        encoded = [value.encode() for value in values]
        self._ends.extend(accumulate(map(len, encoded), initial=self._ends.pop()))
        self._bytes += b"".join(encoded)

    def array(self) -> pa.Array:
        buffers = [None, pa.py_buffer(self._ends), pa.py_buffer(self._bytes)]
        return pa.Array.from_buffers(pa.large_string(), len(self._ends) - 1, buffers)


@dataclass(frozen=True)
class PhotoList:
    """Photos in the order of the manifest."""

    table: pa.Table
    order: pa.Array | None = None
    """row of `table` for each place in the list; None if the rows are in order"""

    @classmethod
    def sorted(cls, photos: Iterable[PhotoRef]) -> PhotoList:
        """Sort photos by name; they are read in batches."""
        stream = iter(photos)
        columns = {field.name: _Texts() if field.type == pa.large_string() else _Numbers() for field in COLUMNS}
        count, labels = 0, None
        while batch := list(islice(stream, _BATCH)):
            *fields, labelled = zip(*batch, strict=True)
            for column, values in zip(columns.values(), fields, strict=True):
                column.extend(values)
            if labels is None and any(labelled):
                labels = _Texts(count)
            if labels is not None:
                labels.extend(labelled)
            count += len(batch)
        table = pa.table({name: column.array() for name, column in columns.items()}, COLUMNS)
        table = table if labels is None else table.append_column(LABEL, labels.array())
        keys = [(column, "ascending") for column in table.column_names]  # several may have one name, and are refused
        return cls(table, pc.sort_indices(table, sort_keys=keys))

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, positions: range) -> PhotoList:
        """A contiguous slice."""
        if self.order is None:
            return PhotoList(self.table.slice(positions.start, len(positions)))
        return PhotoList(self.table.take(self.order.slice(positions.start, len(positions))))

    def __iter__(self) -> Iterator[PhotoRef]:
        for columns in self._batches(*self.table.column_names):
            yield from map(PhotoRef, *columns)

    def partitions(self, most: int) -> list[range]:
        """Cut the list into partitions of at most `most` photos or, in a long list, more."""
        return partitions(priorities(self._names()), most)

    def chunks(self) -> list[range]:
        """Cut the list of a partition into the chunks of its ledger."""
        return parts(priorities(self._names()), CHUNK_PHOTOS)

    def _names(self) -> Iterator[str]:
        return (name for (names,) in self._batches("name") for name in names)

    def partition(self, index: int, positions: range, overall: Digest, scope: str) -> Partition:
        """Summarise a slice, and add its photos to the digest; `scope` is for `address`."""
        part, own = self[positions], Digest()
        for names, sizes in part._batches("name", "size"):
            for name, size in zip(names, sizes, strict=True):
                own.update(name, size)
                overall.update(name, size)
        names = part.table["name"]
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

    def listing(self) -> str:
        """Return the SHA-256 of the whole list."""
        running = hashlib.sha256()
        for batch in self._batches(*self.table.column_names):
            running.update(json.dumps(batch).encode())
        return running.hexdigest()

    def address(self, scope: str) -> str | None:
        """Return the content address; None if a version is unknown."""
        running = hashlib.sha256(scope.encode())
        labels = [name for name in self.table.column_names if name == LABEL.name]
        for names, sizes, versions, *labelled in self._batches("name", "size", "version", *labels):
            if "" in versions:
                return None
            running.update(json.dumps([names, sizes, versions, *labelled]).encode())
        return running.hexdigest()

    def _batches(self, *columns: str) -> Iterator[list[list[Any]]]:
        """Yield the values of some columns, `_BATCH` rows at a time."""
        for start in range(0, len(self), _BATCH):
            batch = self[range(start, min(start + _BATCH, len(self)))].table
            yield [batch[column].to_pylist() for column in columns]

    def to_parquet(self) -> bytes:
        """Return a sealed Parquet file."""
        output = io.BytesIO()
        pq.write_table(self[range(len(self))].table, output, compression="zstd")
        return seal_parquet(output.getvalue())

    @classmethod
    def from_parquet(cls, data: bytes) -> PhotoList:
        """Parse a photo list; `DamagedRecord` if it is damaged or something else."""
        check_parquet(data, "photo list")
        table, _ = read_table(data, "photo list")
        if not any(table.schema.equals(schema) for schema in (COLUMNS, COLUMNS.append(LABEL))):
            raise DamagedRecord(f"photo list has other columns: {', '.join(table.column_names)}")
        return cls(table)
