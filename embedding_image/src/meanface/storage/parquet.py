"""Read whole Parquet files from memory; pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from meanface.errors import DamagedRecord


def read_table(data: bytes, what: str) -> tuple[pa.Table, dict[bytes, bytes]]:
    """Return a file's table and metadata.

    The file is read in this thread. `pyarrow.parquet.read_table` reads through `pyarrow.dataset`,
    whose threads free their buffers later; if the interpreter has exited by then, they abort the
    process.

    Raises `DamagedRecord`, which names `what`, if the bytes are not a Parquet file.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            table = file.read(use_threads=False)
            _ = table.column_names  # ValueError if a name is not UTF-8
            return table, file.metadata.metadata or {}
    except (OSError, ValueError, pa.ArrowException) as damage:
        raise DamagedRecord(f"{what} cannot be read: {damage}") from None


def list_size(schema: pa.Schema, column: str) -> int:
    """Numbers in each list of a column of fixed-size lists; 0 for any other column, and for none."""
    kind = schema.field(column).type if column in schema.names else pa.null()
    return kind.list_size if pa.types.is_fixed_size_list(kind) else 0
