"""Faces that are compared with all templates, and with all single photos; in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from meanface.results.scan import FaceScan, drawn
from meanface.stats.neighbours import Gallery

PROBES = 20_000
"""faces at most; of more, a stratified sample"""
TEMPLATE_PAIRS = 200_000_000
"""of faces and templates that are compared at most, unless fewer than `FEWEST` faces could be"""
PHOTO_PAIRS = 400_000_000
"""the same for faces and single photos"""
FEWEST = 1_000

_BLOCK = 2_000_000
"""squared distances at a time: 16 MB"""

Floats = NDArray[np.float64]


def comparable(faces: int, labels: int) -> int:
    """How many of so many faces are compared with the templates of so many labels.

    >>> comparable(20_000, 5_749), comparable(20_000, 20_000), comparable(20_000, 1_000_000)
    (20000, 10000, 1000)
    """
    return min(faces, max(FEWEST, TEMPLATE_PAIRS // labels))


class Probes:
    """A sample of the faces of a run: all of them, if there are no more than `PROBES`."""

    def __init__(self, scanned: FaceScan, numbers: Mapping[str, int]) -> None:
        sample = scanned.sample()
        step = max(1, -(-len(sample.positions) // comparable(PROBES, len(numbers))))
        kept = drawn(np.arange(len(sample.positions), dtype=np.uint64), step)
        self.step = step * scanned.step
        self.embeddings = sample.embeddings[kept]
        self.positions, self.faces = sample.positions[kept], sample.faces[kept]
        translated = np.array([numbers[label] for label in scanned.labels])
        self.codes = translated[sample.labels[kept]]
        """number of each one's label"""
        self.trimmed_distances = np.full(len(self.codes), np.inf)
        """to the trimmed mean of the label's other faces"""
        self._by_label: dict[int, list[int]] = defaultdict(list)
        for probe, code in enumerate(self.codes.tolist()):
            self._by_label[code].append(probe)
        photos = max(1, -(-len(self.codes) * scanned.faces // PHOTO_PAIRS))
        self.with_photos = np.flatnonzero(drawn(np.arange(len(self.codes), dtype=np.uint64), photos))
        """the probes that are compared with single photos"""
        self._gallery = Gallery(self.embeddings[self.with_photos]) if len(self.with_photos) else None
        self._sorted = np.argsort(self.codes[self.with_photos], kind="stable")
        self.own_photo = np.full(len(self.with_photos), np.inf)
        """squared distance to the nearest other face of the label"""
        self.other_photo = np.full(len(self.with_photos), np.inf)
        """to the nearest face of other labels"""

    def of_label(self, code: int) -> NDArray[np.intp]:
        """The probes of a label."""
        return np.array(self._by_label.get(code, []), np.intp)

    def place(self, probe: int) -> tuple[int, int]:
        """Position of a probe's photo, and its number in it."""
        return int(self.positions[probe]), int(self.faces[probe])

    def note_trimmed(self, probe: int, template: Floats) -> None:
        """Note the distance to the trimmed mean of the label's other faces."""
        away = self.embeddings[probe].astype(np.float64) - template
        self.trimmed_distances[probe] = np.sqrt((away * away).sum())

    def compare_photos(
        self,
        embeddings: NDArray[np.float32],
        codes: NDArray[np.intp],
        positions: NDArray[np.int64],
        faces: NDArray[np.int32],
    ) -> None:
        """Compare the probes with the next faces of the ledger."""
        if self._gallery is None:
            return
        size = max(1, _BLOCK // len(self.with_photos))
        for start in range(0, len(codes), size):
            part = slice(start, start + size)
            self._compare_block(self._gallery.squared(embeddings[part]), codes[part], positions[part], faces[part])

    def _compare_block(
        self,
        squares: NDArray[np.float64],
        codes: NDArray[np.intp],
        positions: NDArray[np.int64],
        faces: NDArray[np.int32],
    ) -> None:
        """Add squared distances of faces (rows) to the probes (columns)."""
        mine = self.codes[self.with_photos][self._sorted]
        starts, ends = np.searchsorted(mine, codes), np.searchsorted(mine, codes, side="right")
        lengths = ends - starts  # each row's probes of the same label
        lines = np.repeat(np.arange(len(codes)), lengths)
        offsets = np.arange(len(lines)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        probes = self._sorted[np.repeat(starts, lengths) + offsets]
        same = self.with_photos[probes]
        itself = (self.positions[same] == positions[lines]) & (self.faces[same] == faces[lines])
        np.minimum.at(self.own_photo, probes[~itself], squares[lines, probes][~itself])
        squares[lines, probes] = np.inf
        np.minimum(self.other_photo, squares.min(axis=0), out=self.other_photo)
