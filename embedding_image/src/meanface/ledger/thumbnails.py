"""Thumbnails of a chunk's extreme faces, which the report shows."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from meanface.embedder.result import PhotoResult
from meanface.stats.chip_sum import Chip
from meanface.stats.exact_sum import ExactSum
from meanface.stats.moments import distances_to

SHOWN = 12
"""The report shows this many faces nearest to the mean, and as many farthest from it. A chunk has
thumbnails of as many, so those of a small run, which is one chunk, are all there."""
QUALITY = 85
"""of the JPEG; a thumbnail has about 5 kB"""


def with_thumbnails(result: PhotoResult) -> PhotoResult:
    """Return the result with a thumbnail of each face; of very many faces, of the extreme ones."""
    if not result.faces:
        return result
    marks = extreme(np.stack([face.embedding for face in result.faces]))
    faces = (
        replace(face, thumbnail=jpeg(face.chip)) if marked and face.chip is not None else face
        for face, marked in zip(result.faces, marks, strict=True)
    )
    return replace(result, faces=tuple(faces))


def extreme(embeddings: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the faces nearest to the mean of all, and those farthest from it.

    `embeddings` is float32[faces, d], the marks are bool[faces]. Of faces at the same distance, the
    first are marked.
    """
    marks = np.ones(len(embeddings), bool)
    if len(embeddings) > 2 * SHOWN:
        distances = distances_to(embeddings, ExactSum.of(embeddings).mean())
        marks[np.argsort(distances, kind="stable")[SHOWN:-SHOWN]] = False
    return marks


def jpeg(chip: Chip) -> bytes:
    """Encode a chip as JPEG, without metadata."""
    output = io.BytesIO()
    Image.fromarray(chip).save(output, "JPEG", quality=QUALITY)
    return output.getvalue()
