"""Tables of a result: failed photos as CSV, means by label as Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from meanface.errors import DamagedRecord
from meanface.results.scan import WriteFailure
from meanface.stats.labels import LabelMeans
from meanface.stats.moments import DIMENSIONS, ExactSum
from meanface.storage.parquet import read_table

LABEL_MEANS = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        pa.field("faces", pa.int64(), nullable=False),
        pa.field("mean", pa.list_(pa.float64(), DIMENSIONS), nullable=False),
    ]
)


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


def label_means(sums: Mapping[str, ExactSum]) -> bytes:
    """`label_means.parquet`: label, faces, exact mean."""
    labels = sorted(sums)
    means = np.array([sums[label].mean() for label in labels]).reshape(-1)
    column = pa.FixedSizeListArray.from_arrays(pa.array(means), DIMENSIONS)
    output = io.BytesIO()
    table = {"label": labels, "faces": [sums[label].count for label in labels], "mean": column}
    pq.write_table(pa.table(table, schema=LABEL_MEANS), output, compression="zstd")
    return output.getvalue()


def read_label_means(parquet: bytes, what: str) -> LabelMeans:
    """Read them back; `DamagedRecord` names `what` if it is another table."""
    table, _ = read_table(parquet, what)
    if not table.schema.equals(LABEL_MEANS):
        raise DamagedRecord(f"{what} has other columns than means by label")
    means = table["mean"].combine_chunks().flatten().to_numpy().reshape(-1, DIMENSIONS)
    return LabelMeans(table["label"].to_pylist(), table["faces"].to_numpy(), means)
