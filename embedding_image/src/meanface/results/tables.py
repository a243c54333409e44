"""Tables that are drawn from a run's ledger, streamed: failed photos, and means by label."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from meanface.errors import DamagedRecord
from meanface.ledger.manifest import Partition
from meanface.ledger.photo_labels import MOST_LABELS
from meanface.ledger.reader import chunks
from meanface.results.reasons import Reasons
from meanface.stats.labels import LabelMeans
from meanface.stats.moments import DIMENSIONS, ExactSum
from meanface.storage.files import Storage
from meanface.storage.parquet import read_table

LABEL_MEANS = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        pa.field("faces", pa.int64(), nullable=False),
        pa.field("mean", pa.list_(pa.float64(), DIMENSIONS), nullable=False),
    ]
)


def write_failures(output: IO[bytes], files: Storage, partitions: Iterable[Partition]) -> Reasons:
    """`failures.csv`: photo, outcome, detail of every failed photo; streamed. What is returned counts the details."""
    reasons = Reasons()
    text = io.TextIOWrapper(output, "utf-8", newline="")
    rows = csv.writer(text)
    rows.writerow(["photo", "outcome", "detail"])
    for partition in partitions:
        for chunk in chunks(files, partition):
            for photo, outcome, detail in chunk.failures():
                rows.writerow((photo, outcome, detail))
                reasons.add(detail or outcome.meaning)
    text.detach()
    return reasons


def label_sums(files: Storage, partitions: Iterable[Partition]) -> dict[str, ExactSum] | None:
    """The exact sum of each label's faces; streamed from the ledger, one sum per label in memory.

    None for more than `MOST_LABELS`.
    """
    sums: dict[str, ExactSum] = {}
    for partition in partitions:
        for chunk in chunks(files, partition):
            labels = [label or "" for label in chunk.face_labels()]
            for label, part in ExactSum.by_group(chunk.embeddings(), labels).items():
                sums[label] = sums.get(label, ExactSum.zero()) + part
            if len(sums) > MOST_LABELS:
                return None
    return sums


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
    """Read them back; `what` is how people call the file.

    Raises
    ------
    DamagedRecord
        for what is no such table
    """
    table, _ = read_table(parquet, what)
    if not table.schema.equals(LABEL_MEANS):
        raise DamagedRecord(f"{what} has other columns than means by label")
    means = table["mean"].combine_chunks().flatten().to_numpy().reshape(-1, DIMENSIONS)
    return LabelMeans(table["label"].to_pylist(), table["faces"].to_numpy(), means)
