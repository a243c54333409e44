"""Match the faces of a ledger with the labels of a result: a table, chunk by chunk."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meanface.embedder.faces import Box
from meanface.ledger.chunk import Chunk
from meanface.results.reader import Result
from meanface.stats.moments import distances_to
from meanface.stats.neighbours import Gallery

LABELS = 5
"""nearest labels of each face"""
UNKNOWN = "unknown"
"""the label of a face that is farther than the threshold from every label"""
MARK = b"meanface.matches"
"""in the metadata of such a table"""

_NEAR = pa.struct([("label", pa.string()), ("distance", pa.float64()), ("faces", pa.int64())])

MATCHES = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("photo", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("face", pa.int32()),
        *(pa.field(edge, pa.int32()) for edge in Box._fields),
        pa.field("score", pa.float64()),
        pa.field("known", pa.bool_()),
        pa.field("label", pa.string()),
        pa.field("distance", pa.float64()),
        pa.field("nearest", pa.list_(_NEAR)),
        pa.field("mean_distance", pa.float64()),
        pa.field("mean_cosine", pa.float64()),
        pa.field("fraction_within", pa.float64()),
    ]
)
"""one row for each face, and one for each photo without"""


class Matcher:
    """Matches faces with the labels of a result, which may have none.

    Raises `DamagedRecord` if the means by label cannot be read.
    """

    def __init__(self, result: Result, threshold: float) -> None:
        self._labels = result.label_means()
        self._gallery = Gallery(self._labels.means) if self._labels is not None else None
        self._threshold = threshold
        self._mean = result.moments.mean()
        statistics = result.summary.statistics
        self._distances = statistics and statistics.distances

    def table(self, chunk: Chunk) -> pa.Table:
        """The rows of a chunk's photos, in order."""
        has_face = chunk.table["embedding"].is_valid().to_numpy()
        embeddings = chunk.embeddings()
        found = {**self._matches(embeddings), **self._to_mean(embeddings)}
        columns = {name: _spread(values, has_face) for name, values in found.items()}
        kept = {name: chunk.table[name] for name in MATCHES.names if name in chunk.table.column_names}
        return pa.table({**kept, **columns}).select(MATCHES.names).cast(MATCHES)

    def _matches(self, embeddings: NDArray[np.float32]) -> dict[str, list[Any]]:
        """The nearest labels of each face."""
        if self._labels is None or self._gallery is None:
            nothing = [None] * len(embeddings)
            return {
                "known": [False] * len(embeddings),
                "label": [UNKNOWN] * len(embeddings),
                "distance": nothing,
                "nearest": [[] for _ in nothing],
            }
        near = self._gallery.nearest(embeddings, LABELS)
        names, faces = self._labels.names, self._labels.faces
        nearest = [
            [
                {"label": names[index], "distance": distance, "faces": int(faces[index])}
                for index, distance in zip(*line, strict=True)
            ]
            for line in zip(near.indices.tolist(), near.distances.tolist(), strict=True)
        ]
        known = [line[0]["distance"] <= self._threshold for line in nearest]
        return {
            "known": known,
            "label": [line[0]["label"] if one else UNKNOWN for line, one in zip(nearest, known, strict=True)],
            "distance": [line[0]["distance"] for line in nearest],
            "nearest": nearest,
        }

    def _to_mean(self, embeddings: NDArray[np.float32]) -> dict[str, list[float | None]]:
        """How each face compares with the mean of all faces of the result."""
        distances = distances_to(embeddings, self._mean).tolist()
        return {
            "mean_distance": distances,
            "mean_cosine": [_cosine(row, self._mean) for row in embeddings.astype(np.float64)],
            "fraction_within": [self._distances and self._distances.fraction_within(each) for each in distances],
        }


def _cosine(row: NDArray[np.float64], mean: NDArray[np.float64]) -> float | None:
    """Cosine of the angle between two vectors; None if one is the zero vector."""
    norms = math.hypot(*row) * math.hypot(*mean)
    return math.fsum((row * mean).tolist()) / norms if norms else None


def _spread(values: list[Any], has_face: NDArray[np.bool_]) -> list[Any]:
    """Values of faces, with None for each photo without."""
    remaining = iter(values)
    return [next(remaining) if face else None for face in has_face]
