"""The photos of a partition as Arrow columns, and their Parquet file.

The *content address* of a list identifies its computation and bytes: SHA-256 over its scope (recipe
and dataset) and the photos' names, sizes, versions and own labels. Partitions with the same address
have the same ledger, in whichever run and place. A list with a photo of unknown version has no address.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from meanface.dataset.refs import PhotoRef
from meanface.errors import DamagedRecord
from meanface.ledger.chunk import CHUNK_PHOTOS
from meanface.ledger.partitioning import parts, priorities
from meanface.ledger.photo_columns import BATCH, COLUMNS, LABEL, WITH_LABEL
from meanface.storage.checksum import check_parquet, seal_parquet
from meanface.storage.parquet import read_table


@dataclass(frozen=True)
class PhotoList:
    """Photos in the order of the manifest."""

    table: pa.Table
    """with a column of labels if any photo of the dataset has one"""

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[PhotoRef]:
        for columns in self._batches(*self.table.column_names):
            yield from map(PhotoRef, *columns)

    def chunks(self) -> list[range]:
        """Cut the list into the chunks of its ledger."""
        names = (name for (names,) in self._batches("name") for name in names)
        return parts(priorities(names), CHUNK_PHOTOS)

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
        """Yield the values of some columns, `BATCH` rows at a time."""
        for start in range(0, len(self), BATCH):
            batch = self.table.slice(start, BATCH)
            yield [batch[column].to_pylist() for column in columns]

    def to_parquet(self) -> bytes:
        """Return a sealed Parquet file."""
        output = io.BytesIO()
        pq.write_table(self.table, output, compression="zstd")
        return seal_parquet(output.getvalue())

    @classmethod
    def from_parquet(cls, data: bytes) -> PhotoList:
        """Parse a photo list; `DamagedRecord` if it is damaged or something else."""
        check_parquet(data, "photo list")
        table, _ = read_table(data, "photo list")
        if not any(table.schema.equals(schema) for schema in (COLUMNS, WITH_LABEL)):
            raise DamagedRecord(f"photo list has other columns: {', '.join(table.column_names)}")
        return cls(table)
