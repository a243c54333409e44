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

from meanface.embedder.dlib_models import DIMENSIONS
from meanface.errors import DamagedRecord
from meanface.results.scan import WriteFailure
from meanface.stats.labels import LabelMeans
from meanface.stats.moments import ExactSum
from meanface.storage.parquet import list_size, read_table


def label_columns(dimensions: int) -> pa.Schema:
    """The columns of `label_means.parquet`."""
    return pa.schema(
        [
            pa.field("label", pa.string(), nullable=False),
            pa.field("faces", pa.int64(), nullable=False),
            pa.field("mean", pa.list_(pa.float64(), dimensions), nullable=False),
        ]
    )


LABEL_MEANS = label_columns(DIMENSIONS)
"""of dlib's embeddings"""


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
    means = np.array([sums[label].mean() for label in labels])
    dimensions = means.shape[1]
    column = pa.FixedSizeListArray.from_arrays(pa.array(means.reshape(-1)), dimensions)
    output = io.BytesIO()
    table = {"label": labels, "faces": [sums[label].count for label in labels], "mean": column}
    pq.write_table(pa.table(table, schema=label_columns(dimensions)), output, compression="zstd")
    return output.getvalue()


def read_label_means(parquet: bytes, what: str) -> LabelMeans:
    """Read them back; `DamagedRecord` names `what` if it is another table."""
    table, _ = read_table(parquet, what)
    dimensions = list_size(table.schema, "mean")
    if not dimensions or not table.schema.equals(label_columns(dimensions)):
        raise DamagedRecord(f"{what} has other columns than means by label")
    means = table["mean"].combine_chunks().flatten().to_numpy().reshape(-1, dimensions)
    return LabelMeans(table["label"].to_pylist(), table["faces"].to_numpy(), means)
