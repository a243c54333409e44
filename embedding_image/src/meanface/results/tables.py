"""Tables of a result: failed photos as CSV; means by label are read back here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meanface.errors import DamagedRecord
from meanface.results.scan import WriteFailure
from meanface.stats.labels import LabelMeans
from meanface.storage.parquet import read_table


@contextmanager
def failure_rows(output: IO[bytes]) -> Iterator[WriteFailure]:
    """Write `failures.csv`, one row at a time: photo, outcome, detail of every failed photo."""
    text = io.TextIOWrapper(output, "utf-8", newline="")
    rows = csv.writer(text)
    rows.writerow(["photo", "outcome", "detail"])
    try:
        yield rows.writerow
    finally:
        text.detach()


def read_label_means(parquet: bytes, what: str) -> LabelMeans:
    """Read the means by label; `DamagedRecord` names `what` if it is another table."""
    table, _ = read_table(parquet, what)
    kinds = [table.schema.field(name).type for name in ("label", "faces", "mean") if name in table.column_names]
    dimension = kinds[-1].list_size if kinds and pa.types.is_fixed_size_list(kinds[-1]) else 1
    if kinds != [pa.string(), pa.int64(), pa.list_(pa.float64(), dimension)]:
        raise DamagedRecord(f"{what} has other columns than means by label")
    return LabelMeans(table["label"].to_pylist(), table["faces"].to_numpy(), vectors(table["mean"]))


def vectors(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column of vectors as float64[n, d]."""
    flat: NDArray[np.float64] = column.combine_chunks().flatten().to_numpy()
    return flat.reshape(-1, column.type.list_size)
