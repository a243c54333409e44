"""Templates: the mean of each label and what belongs to it, in `label_means.parquet`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from meanface.errors import DamagedRecord, UsageError
from meanface.results.label_scan import LabelScan, WorstFace
from meanface.results.reader import Result
from meanface.results.tables import vectors
from meanface.stats.exact_sum import norm, slices
from meanface.storage.layout import LABEL_MEANS
from meanface.storage.parquet import read_table

Vector = NDArray[np.float64]

_WORST = pa.list_(pa.struct([("photo", pa.string()), ("face", pa.int32()), ("distance", pa.float64())]))


@dataclass(frozen=True, eq=False)
class Template:
    """The mean of a label's faces, by which the label is recognised; distances are Euclidean."""

    label: str
    faces: int
    mean: Vector
    """exact, rounded once"""
    normalized: Vector | None
    """the mean divided by its norm; None if that is 0"""
    trimmed: Vector
    """mean of the faces without those that are farthest from their median (`meanface.stats.trimmed`)"""
    mean_distance: float
    """of the label's faces to their mean"""
    largest_distance: float
    worst: tuple[WorstFace, ...]
    """the faces farthest from the mean: photo, number of the face in it, distance"""


def columns(dimension: int) -> pa.Schema:
    """Columns of `label_means.parquet`."""
    vector = pa.list_(pa.float64(), dimension)
    return pa.schema(
        [
            pa.field("label", pa.string(), nullable=False),
            pa.field("faces", pa.int64(), nullable=False),
            pa.field("mean", vector, nullable=False),
            pa.field("normalized", vector),
            pa.field("trimmed", vector, nullable=False),
            pa.field("mean_distance", pa.float64(), nullable=False),
            pa.field("largest_distance", pa.float64(), nullable=False),
            pa.field("worst", _WORST, nullable=False),
        ]
    )


def write_templates(output: IO[bytes], scan: LabelScan) -> None:
    """Write `label_means.parquet`, a few thousand labels at a time."""
    dimension = scan.means.shape[1]
    with pq.ParquetWriter(output, columns(dimension), compression="zstd") as writer:
        for rows in slices(len(scan.labels)):
            means = scan.means[rows]
            lengths = np.array([norm(mean) for mean in means])
            unit = means / np.where(lengths > 0, lengths, 1.0)[:, None]
            numbers = range(rows.start, rows.stop)
            table = {
                "label": scan.labels[rows],
                "faces": scan.counts[rows],
                "mean": _list(means),
                "normalized": _list(unit, lengths == 0),
                "trimmed": _list(scan.trimmed[rows]),
                "mean_distance": scan.mean_distances[rows],
                "largest_distance": scan.largest[rows],
                "worst": [[worst._asdict() for worst in scan.worst(number)] for number in numbers],
            }
            writer.write_table(pa.table(table, schema=columns(dimension)))


def read_templates(result: Result) -> Mapping[str, Template]:
    """Read the templates of a result, by label.

    Raises
    ------
    UsageError
        if the run has no labels, too many of them, or is of a release before 0.3
    DamagedRecord
        if the table is missing or damaged, or of other faces than the result
    """
    where = f"{result.files.url}/{LABEL_MEANS}"
    if "label_means" not in result.summary.artifacts:
        reason = result.summary.statistics and result.summary.statistics.missing.get("labels")
        raise UsageError(f"{result.files.url} has no templates: {reason or 'it is not a run with labels'}")
    means = result.label_means()
    if means is None:
        raise DamagedRecord(f"{where} is missing: reduce the run again")
    table, _ = read_table(result.files.read(LABEL_MEANS), where)
    if "trimmed" not in table.column_names:
        raise UsageError(f"{where} is of an earlier release, without templates: reduce the run again")
    if not table.schema.equals(columns(means.means.shape[1]), check_metadata=False):
        raise DamagedRecord(f"{where} has other columns than templates")
    normalized, missing = _nullable(table["normalized"], means.means.shape[1])
    trimmed = vectors(table["trimmed"])
    rest = (table[name].to_pylist() for name in ("mean_distance", "largest_distance", "worst"))
    return {
        label: Template(
            label=label,
            faces=int(means.faces[row]),
            mean=means.means[row],
            normalized=None if missing[row] else normalized[row],
            trimmed=trimmed[row],
            mean_distance=mean_distance,
            largest_distance=largest,
            worst=tuple(WorstFace(**face) for face in worst),
        )
        for row, (label, mean_distance, largest, worst) in enumerate(zip(means.names, *rest, strict=True))
    }


def _list(rows: NDArray[np.float64], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    mask = None if absent is None else pa.array(absent)
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1], mask=mask)


def _nullable(column: pa.ChunkedArray, dimension: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Vectors, with zeros in place of null, and marks of these."""
    missing: NDArray[np.bool_] = column.is_null().to_numpy()
    found = np.zeros((len(missing), dimension))
    found[~missing] = vectors(column.drop_null())
    return found, missing
