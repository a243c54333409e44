"""Embed: compute outcome and embeddings of every photo of one partition, chunk by chunk, and commit them."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable

import structlog

from meanface.dataset import open_photos
from meanface.embedder import detector, network
from meanface.embedder.detector import cnn
from meanface.embedder.models.opening import card_of, detector_name_of, dlib_detector
from meanface.embedder.result import PhotoResult
from meanface.errors import MeanfaceError, UsageError
from meanface.ledger.cache import Catalog
from meanface.ledger.chunk import Chunk
from meanface.ledger.commit import Commit, CommitHeader
from meanface.ledger.manifest import Manifest, Partition
from meanface.ledger.partition_ledger import PartitionLedger, UnfinishedChunk
from meanface.outcome import Outcome
from meanface.pipeline.attempts import Recorder, recorded
from meanface.pipeline.progress import Progress, Tracker
from meanface.pipeline.run import Run
from meanface.settings import DetectorName, EmbedderName
from meanface.stats.chip_sum import ChipSum
from meanface.stats.moments import Moments
from meanface.workers.pool import Workers
from meanface.workers.prefetch import GROUP_PHOTOS, ReadAhead

CHUNKS_HELD = 64
"""chunks that hold photos of earlier plans while the rest is computed; about 70 MB"""

FEW_PHOTOS = 16
FEW_BYTES = 2**20
"""A run with fewer photos, and fewer bytes of them, takes about as long as the start of a second worker."""

log = structlog.get_logger(__name__)


def embed(
    run: Run,
    partition: int,
    workers: Workers,
    *,
    attempt: int = 0,
    listener: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Embed one partition and commit it; do nothing if it is committed and its ledger matches the commit.

    If a committed partition has lost chunks or its chip sum, these are computed again. If its ledger is complete and
    does not match the commit, all of it is computed again: an attempt whose commit was refused may have left it. The
    state accepts only a commit equal to the first, which proves that the new ledger is right.

    Parameters
    ----------
    run
        a planned run
    partition
        index in the manifest
    workers
        with the run's settings
    attempt
        number of this attempt, for display
    listener
        called with the progress about once a second

    Raises
    ------
    UsageError
        if the run is not planned or has no such partition
    Conflict
        if another attempt has committed a different result, or the run was planned again meanwhile
    InfrastructureError
        if state or storage cannot be reached; the next attempt continues from the chunks in storage
    """
    with recorded(run.state, "embed", partition) as recorder:
        _embed(run, partition, workers, attempt, listener, recorder)


def _embed(
    run: Run,
    partition: int,
    workers: Workers,
    attempt: int,
    listener: Callable[[Progress], None],
    recorder: Recorder,
) -> None:
    manifest = run.manifest()
    run.verified_manifest()
    if not 0 <= partition < len(manifest.partitions):
        raise UsageError(
            f"run {run.name} has partitions 0 to {len(manifest.partitions) - 1}, but no partition {partition}"
        )
    plan, digest = manifest.partitions[partition], manifest.content_digest()
    recorder.begin(digest)
    committed = _committed(run, partition)
    if committed is not None and PartitionLedger(run.files, run.shared, manifest, plan).holds(committed):
        log.info("committed before", run=run.name, partition=partition)
        _note_again(run, manifest, plan, committed)
        return

    def listen(progress: Progress) -> None:
        recorder.update()
        listener(progress)

    tracker = Tracker(run.state, plan, digest, attempt, listen)
    try:
        commit = _PartitionEmbedding(run, manifest, plan, tracker, workers).commit(attempt)
        if committed is not None and commit.digest() != committed.digest():
            log.warning("ledger computed anew", partition=partition, reason="it does not match the commit")
            tracker = Tracker(run.state, plan, digest, attempt, listen)
            commit = _PartitionEmbedding(run, manifest, plan, tracker, workers, anew=True).commit(attempt)
        status = run.state.commit(partition, commit.to_bytes(), commit.digest(), digest)
    except MeanfaceError as error:
        tracker.end("failed", str(error))
        raise
    tracker.end("committed")
    recorder.end = "duplicate" if status == "duplicate" else "done"
    taken = {"reused": commit.head.reused} if commit.head.reused else {}
    log.info("committed", run=run.name, partition=partition, answer=status, **taken, **commit.head.outcomes)
    _note(run, manifest, plan, commit)


def _committed(run: Run, partition: int) -> Commit | None:
    """The partition's commit, if it has one."""
    if partition not in run.state.committed():
        return None
    ((_, record),) = run.state.records([partition])
    return Commit.from_bytes(record)


def _note(run: Run, manifest: Manifest, plan: Partition, commit: Commit) -> None:
    """List the partition in the cache for other runs, unless the outcome of its photos may change."""
    if not any(outcome.passing for outcome in commit.head.outcomes):
        Catalog(run.shared).note(manifest, plan)


def _note_again(run: Run, manifest: Manifest, plan: Partition, commit: Commit) -> None:
    """List a partition in the cache whose attempt was killed right after its commit."""
    if run.shared is not None and plan.address is not None and Catalog(run.shared).entry(manifest, plan) is None:
        _note(run, manifest, plan, commit)


class _PartitionEmbedding:
    """Embed one partition: read the chunks that exist, compute the others; with `anew`, compute all of them."""

    def __init__(
        self, run: Run, manifest: Manifest, plan: Partition, tracker: Tracker, workers: Workers, *, anew: bool = False
    ) -> None:
        self._run, self._manifest, self._plan, self._tracker = run, manifest, plan, tracker
        self._ledger = PartitionLedger(run.files, run.shared, manifest, plan)
        self._workers, self._anew = workers, anew
        self._card = card_of(manifest.settings, run.network_policy)
        self._started = time.monotonic()
        self._unfinished: dict[int, UnfinishedChunk] = {}
        self._moments, self._chips = Moments.zero(), ChipSum.zero()
        self._outcomes, self._counts = Counter[Outcome](), Counter[str]()
        self._detectors, self._reused = Counter[str](), Counter[str]()
        self._resumed = 0

    def commit(self, attempt: int) -> Commit:
        """Embed the partition; ledger and chip sum are complete and synced in storage when the commit is returned."""
        missing = []
        for number in self._ledger.numbers:
            chunk = None if self._anew else self._ledger.find(number)
            if chunk is None:
                missing.append(number)
            else:
                self._resume(chunk)
                self._add_chunk(chunk)
        self._compute(missing)
        head = CommitHeader(
            fingerprint=self._manifest.fingerprint,
            partition=self._plan.index,
            photos_digest=self._plan.digest,
            outcomes=dict(sorted(self._outcomes.items())),
            counts=dict(sorted(self._counts.items())),
            chips=self._ledger.keep_chips(self._chips),
            attempt=attempt,
            host=socket.gethostname(),
            seconds=time.monotonic() - self._started,
            detectors=dict(sorted(self._detectors.items())),
            photos_resumed=self._resumed,
            reused=dict(self._reused),
        )
        self._ledger.sync()
        return Commit(head, self._moments)

    def _resume(self, chunk: Chunk) -> None:
        """Count photos that were embedded before."""
        outcomes = chunk.outcomes()
        self._tracker.resume(outcomes)
        self._reused.update(chunk.computed_by)
        self._resumed += outcomes.total() - sum(chunk.computed_by.values())

    def _add_chunk(self, chunk: Chunk) -> None:
        """Add a chunk, which is in storage, to the sums of the commit."""
        outcomes = chunk.outcomes()
        self._moments += Moments.of(chunk.embeddings())
        self._chips += ChipSum.zero() if chunk.chips is None else chunk.chips
        self._outcomes += outcomes
        self._counts += chunk.counts()
        self._detectors[chunk.detector or "not known"] += outcomes.total()
        self._tracker.name(chunk.failures())

    def _compute(self, numbers: list[int]) -> None:
        """Make chunks from photos of earlier plans and computed ones."""
        held = 0
        for number in numbers:
            chunk = self._unfinished[number] = self._ledger.unfinished(number, anew=self._anew)
            if chunk.taken is not None:
                held += 1
                self._resume(chunk.taken)
            if held == CHUNKS_HELD:
                self._embed_unfinished()
                held = 0
        self._embed_unfinished()

    def _embed_unfinished(self) -> None:
        """Embed the photos of all unfinished chunks."""
        for number in [number for number, chunk in self._unfinished.items() if chunk.complete]:
            self._finish(number)
        places = [place for chunk in self._unfinished.values() for place in chunk.places]
        if not places:
            return
        settings, cache = self._manifest.settings, self._run.cache
        count = 1 if self._few(places) else self._workers.count
        if settings.embedder != EmbedderName.FACE_RECOGNITION and not self._workers.used:
            self._prepare(settings.detector if self._card is None else dlib_detector(self._card), cache)
        bounds = {"max_bytes": settings.max_bytes, "at_once": 2 * count + 8, "ahead": GROUP_PHOTOS * (count + 1)}
        follow_links = settings.follow_links
        with (
            open_photos(
                self._manifest.source, self._run.files, self._run.network_policy, follow_links=follow_links
            ) as source,
            ReadAhead(self._ledger.photos, places, source, **bounds) as ahead,
        ):
            groups = ahead.groups(count, self._add_photo)
            for place, result in self._workers.results(groups, count):
                self._add_photo(place, result)

    def _few(self, places: list[int]) -> bool:
        """Whether the run has few small photos, and settings that take no longer than the default ones."""
        settings = self._manifest.settings
        quick = settings.upsample <= 1 and settings.num_jitters == 1 and network.usable_kernels()
        if (settings.embedder, settings.detector) != (EmbedderName.DLIB, DetectorName.HOG) or not quick:
            return False
        if self._manifest.photos >= FEW_PHOTOS:
            return False
        sizes = [self._ledger.photos[place].size for place in places]  # below 0 if not known
        return min(sizes) >= 0 and sum(sizes) < FEW_BYTES

    def _prepare(self, of_dlib: DetectorName | None, cache: str | None) -> None:
        """Derive the detector's weights, here and not in every worker that starts now; warn of missing native code."""
        if of_dlib is DetectorName.HOG:
            detector.prepare(self._run.kernels, cache)
        if network.usable_kernels():
            return
        if self._card is None:
            log.warning(network.WITHOUT_NATIVE)
        if of_dlib is DetectorName.CNN:
            log.warning(cnn.WITHOUT_NATIVE)

    def _add_photo(self, place: int, result: PhotoResult) -> None:
        """Add a photo's result to its chunk."""
        self._tracker.count(result.outcome)
        number = self._ledger.chunk_of(place)
        self._unfinished[number].add(place, result)
        if self._unfinished[number].complete:
            self._finish(number)

    def _finish(self, number: int) -> None:
        """Write a complete chunk."""
        used = detector_name_of(self._manifest.settings, self._card, self._run.kernels)
        self._add_chunk(self._ledger.finish(number, self._unfinished.pop(number), used, replace=self._anew))
