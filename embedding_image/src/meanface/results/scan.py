"""One pass over a run's ledger, in the manifest's order, that keeps what the report needs in bounded memory.

What is kept depends on the faces and their order alone: not on how the photos are cut into partitions and chunks, nor
on who embedded them. Held at most: a sample of `SAMPLE` embeddings (106 MB), the hashes of `PHOTOS_COMPARED` photos
(48 MB), and a chunk. Nothing that is kept is a view into a chunk, which would hold all of it.

**The sample** is stratified: of each `step` consecutive faces one, which a hash of the stratum's number draws. Every
`step`-th face would do as well, but for collections with a period: of photos of couples it may take one partner only.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meanface.errors import DamagedRecord
from meanface.ledger.chunk import Chunk
from meanface.outcome import Outcome
from meanface.stats.duplicates import PhotoHashes
from meanface.stats.models import Distances, FaceDistance
from meanface.stats.moments import distances_to

SHOWN = 12
"""nearest and farthest faces"""
SAMPLE = 200_000
"""embeddings at most"""
NAMED_FAILURES = 100
"""of each outcome"""
BIN_WIDTH = 0.01
BINS = 200


class Failure(NamedTuple):
    """A failed photo and why."""

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


class Survey:
    """What is kept of the faces that were added.

    Parameters
    ----------
    mean
        float64[128], which distances are measured to
    faces
        how many there are in the whole run
    """

    def __init__(self, mean: NDArray[np.float64], faces: int) -> None:
        self._mean = mean
        self._faces = faces
        self.step = max(1, -(-faces // SAMPLE))
        self.hashes = PhotoHashes()
        self.failures: dict[Outcome, list[Failure]] = {}
        self._seen = 0
        self._counts = np.zeros(BINS + 1, np.int64)
        self._range = (np.inf, 0.0)
        self._nearest: list[FaceDistance] = []
        self._farthest: list[FaceDistance] = []
        room = -(-faces // self.step)
        self._sample = Sample(np.empty((room, len(mean)), np.float32), np.empty(room, np.int64), np.empty(room, "<u8"))
        self._sampled = 0

    def add(self, chunk: Chunk) -> None:
        """The next photos.

        Raises
        ------
        DamagedRecord
            where there are more faces than there should be
        """
        self.hashes.add(*chunk.hashes())
        for photo, outcome, detail in chunk.failures():
            named = self.failures.setdefault(outcome, [])
            if len(named) < NAMED_FAILURES:
                named.append(Failure(photo, detail))
        embeddings = chunk.embeddings()
        if len(embeddings):
            self._add_faces(embeddings, chunk.table.filter(chunk.table["embedding"].is_valid()))

    def _add_faces(self, embeddings: NDArray[np.float32], rows: pa.Table) -> None:
        distances = distances_to(embeddings, self._mean)
        places = np.minimum(np.floor(distances / BIN_WIDTH), BINS).astype(np.intp)
        self._counts += np.bincount(places, minlength=BINS + 1)
        low, high = self._range
        self._range = (min(low, float(distances.min())), max(high, float(distances.max())))
        ascending = np.argsort(distances, kind="stable")
        self._nearest = _first(self._nearest, _faces(rows, distances, ascending[:SHOWN]), _from_near)
        descending = np.argsort(-distances, kind="stable")
        self._farthest = _first(self._farthest, _faces(rows, distances, descending[:SHOWN]), _from_far)
        self._draw(embeddings, rows)

    def _draw(self, embeddings: NDArray[np.float32], rows: pa.Table) -> None:
        """Copy those of the next faces that are in the sample."""
        numbers = np.arange(self._seen, self._seen + len(embeddings), dtype=np.uint64)
        self._seen += len(embeddings)
        if self._seen > self._faces:
            raise DamagedRecord(f"the ledger has more faces than the {self._faces:,} that are committed")
        stratum, place = np.divmod(numbers, np.uint64(self.step))
        taken = np.flatnonzero(place == _mixed(stratum) % np.uint64(self.step))
        room = slice(self._sampled, self._sampled + len(taken))
        sha256 = b"".join(rows["sha256"].take(pa.array(taken)).to_pylist())
        self._sample.embeddings[room] = embeddings[taken]
        self._sample.positions[room] = rows["position"].to_numpy()[taken]
        self._sample.contents[room] = np.frombuffer(sha256, "<u8").reshape(-1, 4)[:, 0]
        self._sampled = room.stop

    def distances(self) -> Distances | None:
        """Of all faces to the mean; None where there is no face."""
        if not self._seen:
            return None
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
        """One of each `step` consecutive faces; all where that is 1."""
        faces, positions, contents = self._sample
        return Sample(faces[: self._sampled], positions[: self._sampled], contents[: self._sampled])

    def check(self) -> None:
        """See that the survey is whole.

        Raises
        ------
        DamagedRecord
            where there were fewer faces than there should be
        """
        if self._seen != self._faces:
            raise DamagedRecord(f"the ledger has {self._seen:,} faces, and {self._faces:,} are committed")


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


def _first(
    kept: list[FaceDistance], more: Iterable[FaceDistance], key: Callable[[FaceDistance], tuple[float, int, int]]
) -> list[FaceDistance]:
    return heapq.nsmallest(SHOWN, [*kept, *more], key=key)


def _from_near(face: FaceDistance) -> tuple[float, int, int]:
    return (face.distance, face.position, face.face)


def _from_far(face: FaceDistance) -> tuple[float, int, int]:
    return (-face.distance, face.position, face.face)
