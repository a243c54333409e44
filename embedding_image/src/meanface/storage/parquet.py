"""Reading whole Parquet files from memory, pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from meanface.errors import DamagedRecord


def read_table(data: bytes, what: str) -> tuple[pa.Table, dict[bytes, bytes]]:
    """The table in a file, and the file's metadata; a page that has a checksum is held against it.

    It is read in this thread. `pyarrow.parquet.read_table` reads through `pyarrow.dataset`, whose threads give the
    bytes back in their own time; where the interpreter has ended by then, they abort the process.

    Parameters
    ----------
    data
        the file
    what
        how people call it

    Raises
    ------
    DamagedRecord
        for what is no such file
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
            _ = table.column_names  # one that is no text is a ValueError
            return table, file.metadata.metadata or {}
    except (OSError, ValueError, pa.ArrowException) as damage:
        raise DamagedRecord(f"{what} cannot be read: {damage}") from None
