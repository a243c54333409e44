"""The tables of an export: one row per face, one per template."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from meanface.embedder.faces import Box
from meanface.ledger.chunk import Chunk
from meanface.results.reader import Result
from meanface.results.templates import read_templates

ID_BYTES = 16

_PLACE = struct.Struct("<5id")
_NAMES = ("photo", "label", "face", *Box._fields, "score", "sha256")


def faces_schema(dimension: int) -> pa.Schema:
    """The columns of the table of faces."""
    return pa.schema(
        [
            pa.field("id", pa.binary(ID_BYTES), nullable=False),
            pa.field("photo", pa.string(), nullable=False),
            pa.field("label", pa.string()),
            pa.field("face", pa.int32(), nullable=False),
            *(pa.field(edge, pa.int32(), nullable=False) for edge in Box._fields),
            pa.field("score", pa.float64(), nullable=False),
            pa.field("embedding", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )


def dimension(result: Result) -> int:
    """The number of components of an embedding."""
    return len(result.summary.mean)


def faces(result: Result) -> Iterator[pa.Table]:
    """The faces of each chunk of the ledger, in the order of the run.

    The identifier of a face is a hash of its photo's bytes and of all other columns; the same face in two runs has the
    same one. Faces of a photo that is listed twice under one name are equal rows.
    """
    schema = faces_schema(dimension(result))
    for chunk in result.chunks():
        yield _faces(chunk, schema)


def _faces(chunk: Chunk, schema: pa.Schema) -> pa.Table:
    rows = chunk.table.filter(chunk.table["embedding"].is_valid())
    embeddings = np.ascontiguousarray(chunk.embeddings(), "<f4")
    columns = zip(*(rows[name].to_pylist() for name in _NAMES), strict=True)
    ids = [_id(*row, embedding.tobytes()) for row, embedding in zip(columns, embeddings, strict=True)]
    table = {"id": pa.array(ids, pa.binary(ID_BYTES))} | {name: rows[name] for name in schema.names[1:]}
    return pa.table(table, schema=schema)


def _id(photo: str, label: str | None, *rest: Any) -> bytes:
    *place, sha256, embedding = rest
    names = (text.encode() for text in (photo, label) if text is not None)
    parts = [*names, _PLACE.pack(*place), sha256, embedding]
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.digest()[:ID_BYTES]


def templates(result: Result) -> pa.Table:
    """The template of each label, as in `label_means.parquet` but for its worst photos; none without labels."""
    vector = pa.list_(pa.float64(), dimension(result))
    found = read_templates(result).values() if "label_means" in result.summary.artifacts else ()
    schema = pa.schema(
        [
            pa.field("label", pa.string(), nullable=False),
            pa.field("faces", pa.int64(), nullable=False),
            pa.field("mean", vector, nullable=False),
            pa.field("normalized", vector),
            pa.field("trimmed", vector, nullable=False),
            pa.field("mean_distance", pa.float64(), nullable=False),
            pa.field("largest_distance", pa.float64(), nullable=False),
        ]
    )
    return pa.table({name: [getattr(one, name) for one in found] for name in schema.names}, schema=schema)


def digest(table: pa.Table) -> str:
    """SHA-256 of a table's rows and types, in hexadecimal."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()
