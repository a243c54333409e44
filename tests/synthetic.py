"""Runs over embeddings that a test chooses: plan, embed and reduce as they are, with photos that hold their faces.

A photo's bytes are the embeddings of its faces, float32; one without bytes has no face, and one whose bytes are no
whole number of embeddings is undecodable. In the place of the worker processes, which would decode and embed, stands a
reader of these bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from meanface.embedder.faces import Box, Face
from meanface.embedder.result import PhotoResult
from meanface.ledger.chunk_reader import chunk_at, chunks_of, photo_names
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.pipeline import embed, plan, reduce
from meanface.pipeline.merge import merge
from meanface.pipeline.run import Run
from meanface.results.result import ResultRecord
from meanface.results.scan import Failure, LedgerScan, scan_ledger
from meanface.results.statistics import compute_statistics
from meanface.results.tables import failure_rows
from meanface.settings import Labels, Settings
from meanface.state import MemoryState
from meanface.stats.chip_sum import SHAPE
from meanface.stats.models import Statistics
from meanface.storage.files import Storage
from meanface.workers.prefetch import PhotoBytes

BYTES = 512
"""of one embedding"""


class VectorWorkers:
    """What stands for worker processes; it keeps the places of the photos that it was asked for."""

    count = 1
    used = True

    def __init__(self, *, pixels: bool = False) -> None:
        self._pixels = pixels
        self.asked: list[int] = []

    def results(self, groups: Iterable[list[PhotoBytes]], _most: int) -> Iterator[tuple[int, PhotoResult]]:
        """Each photo's result."""
        for photo in chain.from_iterable(groups):
            self.asked.append(photo.index)
            yield photo.index, vectors_in(photo, pixels=self._pixels)


def vectors_in(photo: PhotoBytes, *, pixels: bool = False) -> PhotoResult:
    """What becomes of a photo; its chips, where they are wanted, are made of the vectors' bytes."""
    if len(photo.data) % BYTES:
        return PhotoResult(Outcome.UNDECODABLE, "no vectors in it", photo.sha256)
    rows = np.frombuffer(photo.data, np.float32).reshape(-1, 128)
    chips = (np.resize(row.view(np.uint8), SHAPE) if pixels else None for row in rows)
    faces = tuple(
        Face(index, Box(0, 10, 10, 0), 1.0, row, chip)
        for index, (row, chip) in enumerate(zip(rows, chips, strict=True))
    )
    outcome = Outcome.OK if faces else Outcome.NO_FACE
    return PhotoResult(outcome, sha256=photo.sha256, faces=faces, faces_found=len(faces))


def write(folder: Path, photos: Mapping[str, bytes | NDArray[np.float32]]) -> Path:
    """A folder of such photos, by name."""
    for name, content in photos.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.astype(np.float32).tobytes())
    return folder


def rewrite_parquet(file: Path, table: pa.Table, keys: Mapping[bytes, bytes] | None = None) -> None:
    """Write an edited table over a file, as a program does that keeps the file's metadata, and adds some."""
    kept = {**pq.read_metadata(file).metadata, **(keys or {})}
    kept.pop(b"ARROW:schema", None)
    with pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(kept)


def embedded(photos: Path, output: Path, **settings: object) -> tuple[Run, Manifest]:
    """A run over a folder of such photos, in `output`, that is ready to be reduced; there are no pixels to keep."""
    run = Run("synthetic", MemoryState("synthetic"), Storage(str(output)))
    manifest = plan(run, Settings.of(dataset=str(photos), face_pixels=False, **settings))
    for partition in manifest.partitions:
        embed(run, partition.index, VectorWorkers())  # as much of Workers as embed needs
    return run, manifest


def run_on(photos: Path, output: Path, **settings: object) -> ResultRecord:
    """The result of such a run."""
    return reduce(embedded(photos, output, **settings)[0])


def studied(photos: Path, output: Path, **settings: object) -> tuple[Statistics, Mapping[Outcome, Sequence[Failure]]]:
    """Statistics and named failures of such a run, without the rest of `reduce`."""
    run, manifest = embedded(photos, output, **settings)
    merged = merge(run, manifest)
    labels = manifest.settings.labels is not Labels.NONE
    with failure_rows(io.BytesIO()) as rows:
        found = LedgerScan(merged.moments, rows, labels=labels)
        scan_ledger(run.plan_files(manifest), manifest, merged.totals, found)
    names = partial(photo_names, partitions=manifest.partitions, read=partial(chunk_at, run.plan_files(manifest)))
    chunks = partial(chunks_of, run.plan_files(manifest), manifest.partitions)
    computed = compute_statistics(merged.moments, found, names, "no labels", chunks, 0.6)
    return computed.statistics, found.failures


def embeddings(count: int, seed: int = 0, spread: float = 0.06) -> NDArray[np.float32]:
    """Vectors as different as faces' embeddings are, around a mean of length 1.3 or so."""
    random = np.random.default_rng(seed)
    centre = np.random.default_rng(99).normal(0, 0.11, 128)
    scale = spread * np.linspace(1.5, 0.5, 128)
    return (centre + random.standard_normal((count, 128)) * scale).astype(np.float32)
