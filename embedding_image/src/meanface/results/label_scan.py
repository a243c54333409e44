"""Read the ledger again, once the mean of each label is known, for its templates and their neighbours.

Memory is bounded. The faces of a label are held until all have come: with labels that are folders,
these are the faces of one folder at a time. Where labels are spread over the ledger, as many labels
as `HELD_BYTES` have room for are held, and the others wait for the next time that the ledger is
read. Of a label with more than `LABEL_FACES` faces a stratified sample is held. All else is a few
numbers for each label, and for each of the `Probes` and of the `CHECKED` faces that are farthest
from their label's mean, with their embeddings. Everything depends on the faces and their order alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meanface.errors import DamagedRecord
from meanface.ledger.chunk import Chunk
from meanface.results.held_labels import HeldLabels
from meanface.results.probes import Probes, comparable
from meanface.results.scan import FaceScan
from meanface.stats.exact_sum import ExactSum

CHECKED = 20_000
"""faces that are compared with all labels, for labels to check"""
WORST = 3
"""faces of a label that fit worst, and are named"""
STEPS = 2**30
"""of a distance of 1, in sums of distances, which are integers and so do not depend on their order"""

CHANGED = "the ledger was changed while it was read: reduce the run again"

Floats = NDArray[np.float64]


class WorstFace(NamedTuple):
    """A face that is far from its label's mean."""

    photo: str
    face: int
    distance: float


class Farthest(NamedTuple):
    """The faces that are farthest from their label's mean without them, in the manifest's order."""

    embeddings: NDArray[np.float32]
    positions: NDArray[np.int64]
    faces: NDArray[np.int32]
    codes: NDArray[np.intp]
    """numbers of their labels"""
    distances: Floats
    """to the mean of the label's other faces; infinite if there are none"""
    photos: NDArray[np.object_]
    """names"""

    def take(self, rows: NDArray[np.intp]) -> Farthest:
        """Some of the faces."""
        return Farthest(
            self.embeddings[rows],
            self.positions[rows],
            self.faces[rows],
            self.codes[rows],
            self.distances[rows],
            self.photos[rows],
        )

    @classmethod
    def joined(cls, parts: list[Farthest]) -> Farthest:
        """All faces of some parts, at least one."""
        return cls(
            np.concatenate([part.embeddings for part in parts]),
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.faces for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.distances for part in parts]),
            np.concatenate([part.photos for part in parts]),
        )


class LabelScan:
    """What the ledger has about each label; labels are numbered in their alphabetical order."""

    def __init__(self, sums: Mapping[str, ExactSum], scanned: FaceScan, wanted: NDArray[np.int64]) -> None:
        """Prepare the scan.

        Parameters
        ----------
        sums
            of each label's faces
        scanned
            the faces, from the first time that the ledger was read
        wanted
            positions of photos whose names and labels are kept
        """
        self.labels = sorted(sums)
        self.numbers = {label: number for number, label in enumerate(self.labels)}
        self.probes = Probes(scanned, self.numbers)
        self.means = np.array([sums[label].mean() for label in self.labels])
        self.counts = np.array([sums[label].count for label in self.labels])
        self.largest = np.zeros(len(self.labels))
        """distance of each label's farthest face to its mean"""
        self._distances = np.zeros(len(self.labels), np.int64)
        self._bounds = np.full(len(self.labels), -1.0)
        self._worst: list[list[tuple[float, int, int, str]]] = [[] for _ in self.labels]
        self._seen = np.zeros(len(self.labels), np.int64)
        self._squares = 0
        self._held = HeldLabels(self.counts, self.means.shape[1], self.probes)
        self._checked = comparable(CHECKED, len(self.labels))
        self._farthest: list[Farthest] = []
        self._farther_than = 0.0
        self._wanted = np.unique(wanted)
        self.photos: dict[int, tuple[str, str]] = {}
        """position of a wanted photo -> its name and label"""

    def read(self, chunks: Callable[[], Iterator[Chunk]]) -> None:
        """Read the ledger, as often as it takes; `DamagedRecord` if it is not that of the sums."""
        again = False
        while not self._held.done:
            for chunk in chunks():
                self._add(chunk, again=again)
            if (self._seen != self.counts).any() or not self._held.next_pass():
                raise DamagedRecord(CHANGED)
            again = True

    def _add(self, chunk: Chunk, *, again: bool) -> None:
        embeddings = chunk.embeddings()
        if not len(embeddings):
            return
        rows = chunk.table.filter(chunk.table["embedding"].is_valid())
        try:
            codes = np.array([self.numbers[label or ""] for label in rows["label"].to_pylist()])
        except KeyError:
            raise DamagedRecord(CHANGED) from None
        positions, faces = rows["position"].to_numpy(), rows["face"].to_numpy()
        self._held.add(embeddings, codes, positions, faces)
        if again:
            return
        np.add.at(self._seen, codes, 1)
        self._note_wanted(rows, codes)
        away = embeddings.astype(np.float64) - self.means[codes]
        distances = np.sqrt((away * away).sum(axis=1))
        np.add.at(self._distances, codes, np.rint(distances * STEPS).astype(np.int64))
        self._squares += sum(np.rint(distances * distances * STEPS).astype(np.int64).tolist())
        np.maximum.at(self.largest, codes, distances)
        self._note_worst(rows, codes, distances)
        self._note_farthest(rows, embeddings, codes, distances)
        self.probes.compare_photos(embeddings, codes, positions, faces)

    def _note_worst(self, rows: pa.Table, codes: NDArray[np.intp], distances: Floats) -> None:
        candidates = np.flatnonzero(distances >= self._bounds[codes])
        some = rows.select(["photo", "position", "face"]).take(pa.array(candidates)).to_pylist()
        for row, index in zip(some, candidates.tolist(), strict=True):
            code = int(codes[index])
            worst = [*self._worst[code], (-float(distances[index]), row["position"], row["face"], row["photo"])]
            self._worst[code] = heapq.nsmallest(WORST, worst)
            if len(self._worst[code]) == WORST:
                self._bounds[code] = -self._worst[code][-1][0]

    def _note_farthest(
        self, rows: pa.Table, embeddings: NDArray[np.float32], codes: NDArray[np.intp], distances: Floats
    ) -> None:
        away = self.without_each(codes, distances)
        kept = np.flatnonzero(np.isfinite(away) & (away >= self._farther_than))
        photos = np.array(rows["photo"].to_pylist(), object)
        found = Farthest(embeddings, rows["position"].to_numpy(), rows["face"].to_numpy(), codes, away, photos)
        self._farthest.append(found.take(kept))
        if sum(len(part.codes) for part in self._farthest) > 2 * self._checked:
            self._farthest = [self.farthest()]
            self._farther_than = float(self._farthest[0].distances.min())

    def farthest(self) -> Farthest:
        """The faces that are farthest from their label, of those with another face; `CHECKED` at most."""
        found = Farthest.joined(self._farthest)
        order = np.lexsort((found.faces, found.positions, -found.distances))[: self._checked]
        return found.take(np.sort(order))

    def _note_wanted(self, rows: pa.Table, codes: NDArray[np.intp]) -> None:
        positions = rows["position"].to_numpy()
        found = np.flatnonzero(np.isin(positions, self._wanted))
        names = rows["photo"].take(pa.array(found)).to_pylist()
        for index, name in zip(found.tolist(), names, strict=True):
            self.photos[int(positions[index])] = (name, self.labels[codes[index]])

    def without_each(self, codes: NDArray[np.intp], distances: Floats) -> Floats:
        """Distances of faces to their label's mean without them, from those to the mean with them."""
        others = self.counts[codes] - 1
        factors = np.full(len(codes), np.inf)
        np.divide(self.counts[codes], others, out=factors, where=others > 0)
        return np.where(others > 0, distances * np.where(others > 0, factors, 0.0), np.inf)

    @property
    def probe_distances(self) -> Floats:
        """Distance of each probe to the mean of its label's other faces; infinite if there are none."""
        away = self.probes.embeddings.astype(np.float64) - self.means[self.probes.codes]
        return self.without_each(self.probes.codes, np.sqrt((away * away).sum(axis=1)))

    @property
    def mean_distances(self) -> Floats:
        """Mean distance of each label's faces to its mean."""
        mean: Floats = self._distances / (self.counts * STEPS)
        return mean

    @property
    def variance(self) -> float | None:
        """Of a label's faces around their mean, of all labels together; None if no label has two faces."""
        free = int((self.counts - 1).sum())
        return self._squares / STEPS / free if free else None

    @property
    def trimmed(self) -> Floats:
        """The metrically trimmed mean of each label."""
        return self._held.trimmed

    def worst(self, number: int) -> list[WorstFace]:
        """The faces of a label that fit worst, the worst first."""
        return [WorstFace(photo, face, -away) for away, _, face, photo in self._worst[number]]
