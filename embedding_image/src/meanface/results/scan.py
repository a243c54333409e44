"""Scan a run's ledger once, in the manifest's order: check it, list its failures, and collect data for statistics.

The collected data depend on the faces and their order alone, not on how the photos are cut into partitions and
chunks, nor on which machine embedded them. Memory is bounded: a sample of `SAMPLE` embeddings (106 MB), the hashes of
`PHOTOS_COMPARED` photos (48 MB), one exact sum for each of at most `MOST_LABELS` labels, and the chunks that are read
ahead. No collected array is a view into a chunk, which would keep the complete chunk in memory.

**The sample** is stratified: of each `step` consecutive faces one, which a hash of the stratum's number draws. Every
`step`-th face would do as well, but for collections with a period: of photos of couples it may take one partner only.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meanface.errors import DamagedRecord
from meanface.ledger.chunk import Chunk
from meanface.ledger.chunk_reader import chunks_of
from meanface.ledger.manifest import Manifest
from meanface.ledger.photo_labels import MOST_LABELS
from meanface.ledger.thumbnails import SHOWN
from meanface.outcome import Outcome
from meanface.results.reasons import Reasons
from meanface.stats.duplicates import PhotoHashes
from meanface.stats.exact_sum import ExactSum
from meanface.stats.models import Distances, FaceAt, FaceDistance
from meanface.stats.moments import Moments, distances_to
from meanface.storage.layout import PlanFiles

SAMPLE = 200_000
"""embeddings at most"""
NAMED_FAILURES = 100
"""of each outcome"""
BIN_WIDTH = 0.01
BINS = 200


WriteFailure = Callable[[tuple[str, str, str]], object]


class Failure(NamedTuple):
    """A failed photo and the reason."""

    photo: str
    detail: str


class Sample(NamedTuple):
    """Some of the faces, in order."""

    embeddings: NDArray[np.float32]
    """(n, 128)"""
    positions: NDArray[np.int64]
    """of their photos"""
    contents: NDArray[np.uint64]
    """64 bits of the SHA-256 of their photos' bytes"""
    faces: NDArray[np.int32]
    """numbers in their photos"""
    labels: NDArray[np.intp]
    """places in `FaceScan.labels`"""


class FaceScan:
    """Distances to `mean` (float64[128]), extreme faces, and a sample; `faces` are in the whole run."""

    def __init__(self, mean: NDArray[np.float64], faces: int) -> None:
        self._mean = mean
        self.faces = faces
        self.step = max(1, -(-faces // SAMPLE))
        self._seen = 0
        self._counts = np.zeros(BINS + 1, np.int64)
        self._range = (np.inf, 0.0)
        self._nearest: list[FaceDistance] = []
        self._farthest: list[FaceDistance] = []
        self.thumbnails: dict[FaceAt, bytes] = {}
        """of the nearest and farthest faces, those that the ledger has"""
        self.labels: dict[str, int] = {}
        """of the sample's faces, numbered; those without have the label \"\""""
        room = -(-faces // self.step)
        self._sample = Sample(
            np.empty((room, len(mean)), np.float32),
            np.empty(room, np.int64),
            np.empty(room, "<u8"),
            np.empty(room, np.int32),
            np.empty(room, np.intp),
        )
        self._sampled = 0

    def add(self, embeddings: NDArray[np.float32], rows: pa.Table) -> None:
        """Add the next faces: their embeddings, float32[n, 128], and their rows of the ledger.

        Faces beyond the announced number are left out: their ledger does not match its commit.
        """
        if not len(embeddings) or self._seen + len(embeddings) > self.faces:
            return
        distances = distances_to(embeddings, self._mean)
        places = np.minimum(np.floor(distances / BIN_WIDTH), BINS).astype(np.intp)
        self._counts += np.bincount(places, minlength=BINS + 1)
        low, high = self._range
        self._range = (min(low, float(distances.min())), max(high, float(distances.max())))
        ascending = np.argsort(distances, kind="stable")
        near = [*self._nearest, *_faces(rows, distances, ascending[:SHOWN])]
        self._nearest = heapq.nsmallest(SHOWN, near, lambda face: (face.distance, face.at))
        descending = np.argsort(-distances, kind="stable")
        far = [*self._farthest, *_faces(rows, distances, descending[:SHOWN])]
        self._farthest = heapq.nsmallest(SHOWN, far, lambda face: (-face.distance, face.at))
        self.thumbnails |= _thumbnails(rows.take(pa.array([*ascending[:SHOWN], *descending[:SHOWN]])))
        extreme = {face.at for face in [*self._nearest, *self._farthest]}
        self.thumbnails = {at: jpeg for at, jpeg in self.thumbnails.items() if at in extreme}
        self._draw(embeddings, rows)

    def _draw(self, embeddings: NDArray[np.float32], rows: pa.Table) -> None:
        """Copy the faces among the next ones that belong to the sample."""
        numbers = np.arange(self._seen, self._seen + len(embeddings), dtype=np.uint64)
        self._seen += len(embeddings)
        taken = np.flatnonzero(drawn(numbers, self.step))
        room = slice(self._sampled, self._sampled + len(taken))
        sha256 = b"".join(rows["sha256"].take(pa.array(taken)).to_pylist())
        self._sample.embeddings[room] = embeddings[taken]
        self._sample.positions[room] = rows["position"].to_numpy()[taken]
        self._sample.contents[room] = np.frombuffer(sha256, "<u8").reshape(-1, 4)[:, 0]
        self._sample.faces[room] = rows["face"].to_numpy()[taken]
        labels = (label or "" for label in rows["label"].take(pa.array(taken)).to_pylist())
        self._sample.labels[room] = [self.labels.setdefault(label, len(self.labels)) for label in labels]
        self._sampled = room.stop

    def distances(self) -> Distances:
        """Distribution of all faces' distances to the mean."""
        counts = self._counts[:BINS].tolist()
        while counts and not counts[-1]:
            counts.pop()
        return Distances(
            bin_width=BIN_WIDTH,
            counts=counts,
            beyond=int(self._counts[BINS]),
            minimum=self._range[0],
            maximum=self._range[1],
            nearest=self._nearest,
            farthest=self._farthest,
        )

    def sample(self) -> Sample:
        """One of each `step` consecutive faces; all faces if `step` is 1."""
        embeddings, positions, contents, faces, labels = self._sample
        end = self._sampled
        return Sample(embeddings[:end], positions[:end], contents[:end], faces[:end], labels[:end])


class LedgerScan:
    """The data from one pass over the ledger.

    `moments` are those of all committed faces; `write_failure` takes each failed photo as a row:
    photo, outcome, detail. The faces of each label are summed if `labels`.
    """

    def __init__(self, moments: Moments, write_failure: WriteFailure, *, labels: bool) -> None:
        self._write_failure = write_failure
        self.faces = FaceScan(moments.mean(), moments.count) if moments.count else None
        self.hashes = PhotoHashes()
        self.failures: dict[Outcome, list[Failure]] = {}
        """the first failed photos of each outcome"""
        self.reasons = Reasons()
        self.labels: dict[str, ExactSum] | None = {} if labels else None
        """exact sum of each label's faces; None without labels, and for more than `MOST_LABELS`"""

    def add(self, chunk: Chunk) -> ExactSum:
        """Add the next chunk; the exact sum of its embeddings."""
        for photo, outcome, detail in chunk.failures():
            self._write_failure((photo, outcome, detail))
            self.reasons.add(detail or outcome.meaning)
            named = self.failures.setdefault(outcome, [])
            if len(named) < NAMED_FAILURES:
                named.append(Failure(photo, detail))
        embeddings = chunk.embeddings()
        if self.faces is not None:
            self.hashes.add(*chunk.hashes())
            self.faces.add(embeddings, chunk.table.filter(chunk.table["embedding"].is_valid()))
        if self.labels is not None:
            names = [label or "" for label in chunk.face_labels()]
            for label, part in ExactSum.by_group(embeddings, names).items():
                self.labels[label] = self.labels.get(label, ExactSum.zero()) + part
            if len(self.labels) > MOST_LABELS:
                self.labels = None
        return ExactSum.of(embeddings)


def scan_ledger(files: PlanFiles, manifest: Manifest, commits: Sequence[CommitTotals], found: LedgerScan) -> None:
    """Add every chunk of a plan's ledger to `found`, and check each partition's ledger against its commit.

    Raises `DamagedRecord`, which names a chunk that is missing or damaged, or all partitions whose
    ledger does not match the commit.
    """
    different = []
    remaining = chunks_of(files, manifest.partitions)
    for partition, commit in zip(manifest.partitions, commits, strict=True):
        outcomes, faces = Counter[Outcome](), ExactSum.zero()
        for chunk in islice(remaining, partition.chunks):
            outcomes += chunk.outcomes()
            faces += found.add(chunk)
        if (outcomes, faces) != (commit.outcomes, commit.faces):
            different.append(partition.index)
    if different:
        raise DamagedRecord(
            f"run {manifest.run}: {len(different)} of {len(commits)} partition ledgers in {files.run.url}/ledger do not"
            f" match their commits: embed partition {ranges(different)} again, which computes them anew"
        )


class CommitTotals(NamedTuple):
    """The part of a commit that must match its ledger."""

    outcomes: Counter[Outcome]
    faces: ExactSum


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as a list of ranges.

    >>> ranges([0, 1, 2, 5])
    '0-2, 5'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def drawn(numbers: NDArray[np.uint64], step: int) -> NDArray[np.bool_]:
    """Mark one of each `step` consecutive numbers, drawn by a hash."""
    stratum, place = np.divmod(numbers, np.uint64(step))
    marks: NDArray[np.bool_] = place == _mixed(stratum) % np.uint64(step)
    return marks


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of each: splitmix64 (Steele, Lea and Flood 2014, OOPSLA, 453), whose integers wrap."""
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _faces(rows: pa.Table, distances: NDArray[np.float64], indices: NDArray[np.intp]) -> Iterator[FaceDistance]:
    for row, index in zip(rows.take(pa.array(indices)).to_pylist(), indices, strict=True):
        yield FaceDistance(
            position=row["position"],
            face=row["face"],
            photo=row["photo"],
            label=row["label"],
            distance=float(distances[index]),
        )


def _thumbnails(rows: pa.Table) -> dict[FaceAt, bytes]:
    columns = (rows[name].to_pylist() for name in ("position", "face", "thumbnail"))
    return {FaceAt(position, face): jpeg for position, face, jpeg in zip(*columns, strict=True) if jpeg is not None}
