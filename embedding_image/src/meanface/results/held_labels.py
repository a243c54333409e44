"""Hold the faces of each label until all have come, and compute its trimmed mean; in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from meanface.results.probes import Probes
from meanface.results.scan import drawn
from meanface.stats.trimmed import LeaveOneOut, metrically_trimmed_mean

HELD_BYTES = 128 << 20
"""of embeddings"""
LABEL_FACES = 4096
"""of one label; of more, a sample is held"""


@dataclass
class _Faces:
    """The faces of one label so far."""

    seen: int = 0
    embeddings: list[NDArray[np.float32]] = field(default_factory=list)
    positions: list[NDArray[np.int64]] = field(default_factory=list)
    faces: list[NDArray[np.int32]] = field(default_factory=list)


class HeldLabels:
    """Trimmed means of labels, whose faces are added in one pass over the ledger or several."""

    def __init__(self, counts: NDArray[np.int64], dimension: int, probes: Probes) -> None:
        self.trimmed = np.empty((len(counts), dimension))
        self._counts, self._probes = counts, probes
        self._steps = -(-counts // LABEL_FACES)
        self._room = max(1, HELD_BYTES // (4 * dimension))
        self._open: dict[int, _Faces] = {}
        self._reserved = 0
        self._finished = np.zeros(len(counts), bool)
        self._waiting = np.zeros(len(counts), bool)

    @property
    def done(self) -> bool:
        """Whether every label is finished."""
        return bool(self._finished.all())

    def next_pass(self) -> bool:
        """End a pass over the ledger; False if faces of labels are missing."""
        self._waiting[:] = False
        return not self._open

    def add(
        self,
        embeddings: NDArray[np.float32],
        codes: NDArray[np.intp],
        positions: NDArray[np.int64],
        faces: NDArray[np.int32],
    ) -> None:
        """Add the next faces, with the number of each one's label."""
        order = np.argsort(codes, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            code = int(codes[rows[0]])
            if self._finished[code] or self._waiting[code]:
                continue
            held = self._open.get(code) or self._opened(code)
            if held is None:
                continue
            numbers = np.arange(held.seen, held.seen + len(rows), dtype=np.uint64)
            kept = rows[drawn(numbers, int(self._steps[code]))]
            held.seen += len(rows)
            held.embeddings.append(embeddings[kept])
            held.positions.append(positions[kept])
            held.faces.append(faces[kept])
            if held.seen == self._counts[code]:
                self._finish(code, held)

    def _size(self, code: int) -> int:
        return int(-(-self._counts[code] // self._steps[code]))

    def _opened(self, code: int) -> _Faces | None:
        """Begin a label, if there is room for all of its faces; else it waits for the next pass."""
        if self._open and self._reserved + self._size(code) > self._room:
            self._waiting[code] = True
            return None
        self._reserved += self._size(code)
        self._open[code] = _Faces()
        return self._open[code]

    def _finish(self, code: int, held: _Faces) -> None:
        embeddings = np.concatenate(held.embeddings)
        self.trimmed[code] = metrically_trimmed_mean(embeddings)
        probes = self._probes.of_label(code)
        if len(probes) and self._counts[code] > 1:
            places = zip(np.concatenate(held.positions).tolist(), np.concatenate(held.faces).tolist(), strict=True)
            rows = {place: row for row, place in enumerate(places)}
            without = LeaveOneOut(embeddings) if len(embeddings) > 1 else None
            for probe in probes.tolist():
                row = rows.get(self._probes.place(probe))
                other = self.trimmed[code] if row is None or without is None else without.without(row)
                self._probes.note_trimmed(probe, other)
        self._finished[code] = True
        self._reserved -= self._size(code)
        del self._open[code]
