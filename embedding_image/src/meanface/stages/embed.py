"""Embed: every photo of one partition to its outcome and embeddings, chunk by chunk; then one commit."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

import structlog

from meanface import ledger, model, photolist
from meanface.commit import Commit, Head
from meanface.dataset import open_photos
from meanface.errors import DamagedRecord, MeanfaceError, UsageError
from meanface.ledger import CHUNK_PHOTOS, Chunk, ChunkKey
from meanface.manifest import Manifest, Partition, PhotoRef, digest
from meanface.moments import Moments
from meanface.outcome import Outcome
from meanface.photolist import PhotoList
from meanface.photoresult import PhotoResult
from meanface.progress import Progress, Tracker
from meanface.reading import Reading, read_ahead
from meanface.run import Run
from meanface.settings import EmbedderName, Labels
from meanface.workers import Workers

log = structlog.get_logger(__name__)


def embed(
    run: Run,
    partition: int,
    workers: Workers,
    *,
    attempt: int = 0,
    listener: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Embed one partition and commit it; does nothing if it is committed.

    Parameters
    ----------
    run
        a planned run
    partition
        index in the manifest
    workers
        that embed with the run's settings
    attempt
        which try this is, for people
    listener
        called with progress about once a second

    Raises
    ------
    UsageError
        if the run is not planned or has no such partition
    Conflict
        if another attempt has committed another answer
    InfrastructureError
        if store or storage stay away; what was done is kept for the next attempt
    """
    manifest = run.manifest()
    if not 0 <= partition < len(manifest.partitions):
        raise UsageError(
            f"run {run.name} has partitions 0 to {len(manifest.partitions) - 1}, none with index {partition}"
        )
    if partition in run.store.committed():
        log.info("committed before", run=run.name, partition=partition)
        return
    plan = manifest.partitions[partition]
    tracker = Tracker(run.store, partition, plan.photos, attempt, listener)
    try:
        commit = _PartitionEmbedding(run, manifest, plan, tracker, workers).commit(attempt)
        stored = run.store.commit(partition, commit.to_bytes(), commit.digest())
    except MeanfaceError as error:
        tracker.end("failed", str(error))
        raise
    tracker.end("committed")
    log.info("committed", run=run.name, partition=partition, answer=stored, **commit.head.outcomes)


class _PartitionEmbedding:
    """The work on one partition: its chunks are read back where they exist, and computed where they do not."""

    def __init__(self, run: Run, manifest: Manifest, plan: Partition, tracker: Tracker, workers: Workers) -> None:
        self._run, self._manifest, self._plan, self._tracker = run, manifest, plan, tracker
        self._photos = _photos_of(run, plan)
        self._workers = workers
        self._start = sum(earlier.photos for earlier in manifest.partitions[: plan.index])

    def commit(self, attempt: int) -> Commit:
        """The partition's contribution; when it is returned, the whole ledger is in storage."""
        moments, outcomes = Moments.zero(), Counter[Outcome]()
        for chunk in self._chunks():
            moments += Moments.of(chunk.embeddings())
            outcomes += chunk.outcomes()
        head = Head(
            fingerprint=self._manifest.fingerprint,
            partition=self._plan.index,
            photos_digest=self._plan.digest,
            outcomes=dict(sorted(outcomes.items())),
            attempt=attempt,
            host=socket.gethostname(),
            seconds=time.time() - self._tracker.started_at,
            photos_resumed=self._tracker.resumed,
        )
        return Commit(head, moments)

    def _chunks(self) -> Iterator[Chunk]:
        missing = []
        for number in range(-(-len(self._photos) // CHUNK_PHOTOS)):
            chunk = self._stored(number)
            if chunk is None:
                missing.append(number)
            else:
                self._tracker.resume(chunk.outcomes())
                yield chunk
        if missing:
            yield from self._computed(missing)

    def _stored(self, number: int) -> Chunk | None:
        """The chunk that an earlier attempt wrote, if it is whole and about these photos."""
        path = ledger.path(self._plan.index, number)
        try:
            return Chunk.from_parquet(self._run.files.read(path), self._key(number))
        except FileNotFoundError:
            return None
        except DamagedRecord as damage:
            log.warning("chunk computed again", path=path, reason=str(damage))
            return None

    def _computed(self, numbers: list[int]) -> Iterator[Chunk]:
        """Chunks in the order of completion, each in storage before it is yielded."""
        results: dict[int, dict[int, PhotoResult]] = {number: {} for number in numbers}
        for photo, result in self._results([index for number in numbers for index in self._range(number)]):
            self._tracker.count(result.outcome)
            number = photo.index // CHUNK_PHOTOS
            results[number][photo.index] = result
            if len(results[number]) == len(self._range(number)):
                chunk = self._chunk(number, results.pop(number))
                self._run.files.write(ledger.path(self._plan.index, number), chunk.to_parquet(self._key(number)))
                yield chunk

    def _results(self, indices: Sequence[int]) -> Iterator[tuple[Reading, PhotoResult]]:
        """What becomes of each photo, in the order of completion."""
        settings, cache = self._manifest.settings, self._run.cache
        if settings.embedder is EmbedderName.ONNX:
            model.cached(cache)  # converted here once, not by every worker
        with open_photos(self._manifest.source, self._run.files) as source:
            depth = 2 * self._workers.count + 8
            ahead = read_ahead(self._photos, indices, source, max_bytes=settings.max_bytes, depth=depth)
            yield from self._workers.results(ahead)

    def _chunk(self, number: int, results: dict[int, PhotoResult]) -> Chunk:
        positions = self._range(number)
        photos = [self._photos[index] for index in positions]
        labels = [_label(photo, self._manifest.settings.labels) for photo in photos]
        return Chunk.of(self._start + positions.start, photos, [results[index] for index in positions], labels)

    def _range(self, number: int) -> range:
        """Places of a chunk's photos in the partition."""
        return range(number * CHUNK_PHOTOS, min((number + 1) * CHUNK_PHOTOS, len(self._photos)))

    def _key(self, number: int) -> ChunkKey:
        return ChunkKey.of(self._manifest.fingerprint, [self._photos[index] for index in self._range(number)])


def _photos_of(run: Run, plan: Partition) -> list[PhotoRef]:
    """The partition's photos, as planned.

    Raises
    ------
    DamagedRecord
        if the list in storage is not the one of the manifest
    """
    path = photolist.path(plan.index)
    try:
        photos = list(PhotoList.from_parquet(run.files.read(path)))
    except FileNotFoundError:
        raise DamagedRecord(f"{run.files.url}/{path} is gone: plan the run again under another name") from None
    if digest(photos) != plan.digest:
        raise DamagedRecord(f"{run.files.url}/{path} lists other photos than the manifest of run {run.name}")
    return photos


def _label(photo: PhotoRef, labels: Labels) -> str | None:
    """The photo's label: the folder that holds it, or none."""
    return PurePosixPath(photo.name).parent.name if labels is Labels.PARENT_FOLDER else None
