"""Export to one NumPy file, `.npz`: embeddings and templates as arrays, with their names."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meanface.embedder.faces import Box
from meanface.errors import Conflict
from meanface.results.export.exported import Exported
from meanface.results.export.faces import digest, dimension, faces, faces_schema, templates
from meanface.results.export.parquet import place
from meanface.results.reader import Result

CONTENT = "meanface_export"
"""name of the array that holds a hash of the others' content"""


def to_npz(result: Result, target: str) -> list[Exported]:
    """Write faces and templates to one file, which `numpy.load` reads; all are in memory meanwhile.

    ::

        photos, labels, faces, scores   (faces,): name of the photo, label, number in the photo, score
        boxes                           int32 (faces, 4): top, right, bottom, left, in pixels
        embeddings                      float32 (faces, dimension)
        template_labels                 (templates,)
        template_faces                  int64 (templates,)
        template_means                  float64 (templates, dimension)
        template_trimmed                the same, without the faces that fit worst

    A photo without a label has the label "".
    """
    folder, name = place(target)
    size = dimension(result)
    table = pa.concat_tables([faces_schema(size).empty_table(), *faces(result)])
    by_label = templates(result)
    content = digest(table.select(["id"])) + digest(by_label)
    before = _earlier(folder.read(name), f"{folder.url}/{name}") if folder.kind(name) else None
    if before is not None and before[0] == content:
        return [Exported("faces", len(table), 0, 0), Exported("templates", len(by_label), 0, 0)]
    arrays: dict[str, NDArray[Any]] = {
        CONTENT: np.array([content, str(len(table)), str(len(by_label))]),
        "photos": _texts(table["photo"]),
        "labels": _texts(table["label"]),
        "faces": table["face"].to_numpy(),
        "boxes": np.stack([table[edge].to_numpy() for edge in Box._fields], axis=1),
        "scores": table["score"].to_numpy(),
        "embeddings": _vectors(table["embedding"], size),
        "template_labels": _texts(by_label["label"]),
        "template_faces": by_label["faces"].to_numpy(),
        "template_means": _vectors(by_label["mean"], size),
        "template_trimmed": _vectors(by_label["trimmed"], size),
    }
    output = io.BytesIO()
    np.savez_compressed(output, allow_pickle=False, **arrays)
    folder.write(name, output.getvalue())
    gone = before[1] if before is not None else (0, 0)
    return [
        Exported("faces", len(table), len(table), gone[0]),
        Exported("templates", len(by_label), len(by_label), gone[1]),
    ]


def _texts(column: pa.ChunkedArray) -> NDArray[np.str_]:
    return np.array([text or "" for text in column.to_pylist()], dtype=np.str_)


def _vectors(column: pa.ChunkedArray, size: int) -> NDArray[Any]:
    found: NDArray[Any] = column.combine_chunks().flatten().to_numpy()
    return found.reshape(-1, size)


def _earlier(data: bytes, what: str) -> tuple[str, tuple[int, int]]:
    """Content and numbers of rows of an earlier export; `Conflict` for any other file."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            content, *rows = arrays[CONTENT].tolist()
            return content, (int(rows[0]), int(rows[1]))
    except (ValueError, KeyError, TypeError, IndexError, EOFError, OSError, zlib.error, zipfile.BadZipFile):
        raise Conflict(f"{what} is no export of meanface, and is not replaced: give another name") from None
