"""Write synthetic runs of any size that are ready for `reduce`, to measure it.

Each chunk is generated from its number alone, so that only one chunk is in memory at a time.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanface.dataset.refs import PhotoRef, Source
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.embedder.faces import Box, Face
from meanface.embedder.recipe import recipe
from meanface.embedder.result import PhotoResult
from meanface.ledger.chunk import CHUNK_PHOTOS, Chunk, ChunkKey
from meanface.ledger.commit import Commit, CommitHeader
from meanface.ledger.manifest import Manifest, Partition
from meanface.outcome import Outcome
from meanface.pipeline.run import Run
from meanface.settings import Labels, Settings
from meanface.state import MemoryState
from meanface.stats.moments import Moments
from meanface.storage.files import Storage

FAILING = 8
"""one photo in so many is undecodable; and one in so many is a copy of the photo before it"""
ADDED_AT_ONCE = 16
"""chunks whose moments are added together"""


def committed(folder: str, photos: int, partitions: int, labels: int = 0) -> Run:
    """Write a run with all partitions committed; `labels` is their number, or 0 for none."""
    settings = Settings(
        dataset="https://photos.example/list.csv",
        face_pixels=False,
        labels=Labels.PARENT_FOLDER if labels else Labels.NONE,
    )
    parts = _slices(range(photos), -(-photos // partitions))
    manifest = Manifest(
        run="large",
        recipe=recipe(settings),
        fingerprint=f"of {photos} photos",
        digest="",
        photos=photos,
        settings=settings,
        source=Source(url=settings.dataset, kind="urls", root=""),
        partitions=tuple(_partition(index, part) for index, part in enumerate(parts)),
    )
    run = Run("large", MemoryState("large"), Storage(folder))
    run.state.put_manifest(manifest.to_json(), manifest.content_digest())
    run.files.write("manifest.json", manifest.to_json().encode())
    for plan, part in zip(manifest.partitions, parts, strict=True):
        commit = _embedded(run, manifest, plan, part, labels)
        run.state.commit(plan.index, commit.to_bytes(), commit.digest(), manifest.content_digest())
    return run


def peak() -> int:
    """Peak memory of this process in kB; unlike `ru_maxrss`, it does not include the parent's."""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


def _partition(index: int, part: range) -> Partition:
    first, last = (_name(number, 0) for number in (part[0], part[-1]))
    return Partition(
        index=index,
        photos=len(part),
        first=first,
        last=last,
        digest=str(index),
        listing="",
        chunks=len(_chunks(part)),
        address=None,
    )


def _chunks(part: range) -> list[range]:
    """A partition's chunks, half full as they are on average."""
    return _slices(part, CHUNK_PHOTOS // 2)


def _slices(places: range, size: int) -> list[range]:
    return [places[start : start + size] for start in range(0, len(places), size)]


def _embedded(run: Run, manifest: Manifest, plan: Partition, part: range, labels: int) -> Commit:
    """Write a partition's ledger; its commit."""
    moments, rows = Moments.zero(), list[NDArray[np.float32]]()
    for number, places in enumerate(_chunks(part)):
        photos = [PhotoRef(_name(place, labels), 1000) for place in places]
        label = [str(place % labels) if labels else None for place in places]
        chunk = Chunk.of(places.start, photos, results(places), label)
        path, key = run.plan_files(manifest).chunk(plan.index, number), ChunkKey.of(manifest.recipe, photos)
        run.files.write(path, chunk.to_parquet(key))
        rows.append(chunk.embeddings())
        if len(rows) == ADDED_AT_ONCE or places.stop == part.stop:
            moments += Moments.of(np.concatenate(rows))
            rows.clear()
    outcomes = {Outcome.OK: moments.count, Outcome.UNDECODABLE: plan.photos - moments.count}
    head = CommitHeader(
        fingerprint=manifest.fingerprint,
        partition=plan.index,
        photos_digest=plan.digest,
        outcomes=outcomes,
        chips=None,
    )
    return Commit(head, moments)


def results(places: range) -> list[PhotoResult]:
    """Synthetic results: one photo in `FAILING` fails, the others have one face each."""
    drawn = np.random.default_rng(places.start).normal(0.1, 0.06, (len(places), DIMENSIONS)).astype(np.float32)
    found = []
    for place, row in zip(places, drawn, strict=True):
        original = place - (place % FAILING == 1)
        sha256 = hashlib.sha256(b"%d" % original).digest()
        if place % FAILING == FAILING - 1:
            found.append(PhotoResult(Outcome.UNDECODABLE, "as it is written", sha256))
        else:
            found.append(PhotoResult(Outcome.OK, "", sha256, (Face(0, Box(0, 10, 10, 0), 1.0, row),), 1))
    return found


def _name(place: int, labels: int) -> str:
    return f"{place % labels if labels else 'photos'}/{place:09}.jpg"
