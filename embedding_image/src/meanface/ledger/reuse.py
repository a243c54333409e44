"""Reuse single photos that earlier plans have embedded, if their partition has changed.

Earlier plans are those of the same run, and the plan over the same dataset that was reduced last in
the shared storage. Their ledgers are searched for photos of the same name, size,
version and label, under the same recipe and at the same place. The rows found are copied, and the other
photos are computed.

Of the faces' chips, a chunk has only the sum. So if pixels are kept, the faces of a chunk are
reused together or not at all: those of a chunk that has lost a photo, or was cut in two, are
computed again. With one more photo this affects one chunk at most, in about one of a hundred cases.

Earlier plans are hints, like the cache: whatever is missing, damaged or different is computed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import structlog
from numpy.typing import NDArray

from meanface.dataset.refs import PhotoRef
from meanface.errors import MeanfaceError
from meanface.ledger.cache import Catalog
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.ledger.manifest import Manifest, Partition, scope
from meanface.ledger.photo_list import PhotoList
from meanface.outcome import Outcome
from meanface.stats.chip_sum import ChipSum
from meanface.storage.files import Storage
from meanface.storage.layout import PlanFiles, files_of

NOT_HERE = -1

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _EarlierChunk:
    """A chunk of an earlier plan with photos of the partition."""

    run: str
    files: Storage
    path: str
    key: ChunkKey
    places: NDArray[np.int64]
    """of its photos in the partition, ascending; `NOT_HERE` for other photos"""
    first: int
    last: int
    """of these places"""

    def read(self) -> Chunk | None:
        """Read the chunk, if it is intact and has the key."""
        try:
            chunk = Chunk.from_parquet(self.files.read(self.path), self.key)
        except (FileNotFoundError, MeanfaceError) as trouble:
            log.info("an earlier plan's chunk cannot be used", run=self.run, path=self.path, reason=str(trouble))
            return None
        return chunk if len(chunk.photos()) == len(self.places) else None


class EarlierPlans:
    """The photos of a partition in the ledgers of earlier plans.

    `files` are the run's, `shared` has those of other runs, if any; `plan` is the partition.
    """

    def __init__(
        self, files: Storage, shared: Storage | None, manifest: Manifest, plan: Partition, photos: Sequence[PhotoRef]
    ) -> None:
        self._files, self._shared = files, shared
        self._manifest, self._plan, self._photos = manifest, plan, photos

    def take(self, places: range, start: int) -> Chunk | None:
        """Return the rows of a chunk's photos that need not be computed; None if there are none.

        Parameters
        ----------
        places
            of the chunk's photos in the partition
        start
            position of the partition's first photo in the run
        """
        taken, free = list[Chunk](), np.ones(len(places), bool)
        for earlier in self._with_any_of(places):
            inside = (earlier.places >= places.start) & (earlier.places < places.stop)
            inside[inside] = free[earlier.places[inside] - places.start]
            wanted = np.where(inside, earlier.places, NOT_HERE)
            if not inside.any():
                continue
            chunk = earlier.read()
            part = chunk and _final_part(chunk, wanted, start, earlier.run, pixels=self._manifest.settings.face_pixels)
            if part:
                free[part.table["position"].to_numpy() - start - places.start] = False
                taken.append(part)
        return Chunk.joined(taken) if taken else None

    def _with_any_of(self, places: range) -> Iterator[_EarlierChunk]:
        """Yield the chunks that may have photos at these places, the most likely plan's first.

        All lists are sorted by name, so the chunks of one plan are in order of our places, too.
        """
        for chunks in self._plans:
            begin = bisect_left(chunks, places.start, key=lambda chunk: chunk.last)
            end = bisect_left(chunks, places.stop, key=lambda chunk: chunk.first)
            yield from chunks[begin:end]

    @cached_property
    def _plans(self) -> list[list[_EarlierChunk]]:
        """The chunks of each earlier plan, the most likely plan first."""
        found = []
        for run, files in self._earlier():
            try:
                found.append(list(self._of_plan(run, files)))
            except (FileNotFoundError, MeanfaceError) as trouble:
                log.info("earlier plan not used", run=run, plan=files.plan, reason=str(trouble))
        return found

    def _earlier(self) -> Iterator[tuple[str, PlanFiles]]:
        """Yield the plans that may have our photos, each with the name of its run."""
        own = self._manifest.run
        for files in PlanFiles(self._files, self._manifest.plan).others():
            yield own, files
        newest = Catalog(self._shared).newest(self._manifest)
        if newest is not None and newest.run != own and self._shared is not None:
            yield newest.run, PlanFiles(files_of(self._shared, newest.run), newest.plan)

    def _of_plan(self, run: str, files: PlanFiles) -> Iterator[_EarlierChunk]:
        manifest = Manifest.from_json(files.run.read(files.manifest))
        if scope(manifest.recipe, manifest.source) != scope(self._manifest.recipe, self._manifest.source):
            return
        ours = {_identity(photo): place for place, photo in enumerate(self._photos) if _may_be_taken(photo)}
        for partition in manifest.partitions:
            if partition.first <= self._plan.last and self._plan.first <= partition.last:
                yield from _of_partition(run, files, manifest, partition, ours)


def _of_partition(
    run: str, files: PlanFiles, manifest: Manifest, partition: Partition, ours: dict[tuple[str, int, str, str], int]
) -> Iterator[_EarlierChunk]:
    """Yield the chunks of an earlier partition that have any of our photos."""
    listed = PhotoList.from_parquet(files.run.read(files.photo_list(partition.index)))
    photos, chunks = list(listed), listed.chunks()
    if listed.listing() != partition.listing or len(chunks) != partition.chunks:
        return
    for number, places in enumerate(chunks):
        refs = [photos[place] for place in places]
        found = ((ours.get(_identity(photo)), index) for index, photo in enumerate(refs) if _may_be_taken(photo))
        known = {place: index for place, index in found if place is not None}
        if known:
            here = np.full(len(refs), NOT_HERE)
            here[list(known.values())] = list(known)
            path, key = files.chunk(partition.index, number), ChunkKey.of(manifest.recipe, refs)
            yield _EarlierChunk(run, files.run, path, key, here, first=min(known), last=max(known))


def _identity(photo: PhotoRef) -> tuple[str, int, str, str]:
    return photo.name, photo.size, photo.version, photo.label


def _may_be_taken(photo: PhotoRef) -> bool:
    """Tell whether the version is known, and the photo is not refused (as several of one name)."""
    return bool(photo.version) and not photo.refusal


def _final_part(chunk: Chunk, places: NDArray[np.int64], start: int, run: str, *, pixels: bool) -> Chunk | None:
    """Return the wanted photos of a chunk whose outcome is final, at their positions in our run."""
    outcomes = [Outcome(outcome) for outcome in chunk.photos()["outcome"].to_pylist()]
    here = np.where([outcome.passing for outcome in outcomes], NOT_HERE, places)
    with_face = np.array([outcome is Outcome.OK for outcome in outcomes])
    chips = None
    if pixels:
        whole = chunk.chips is not None and bool((here[with_face] != NOT_HERE).all())
        here = here if whole else np.where(with_face, NOT_HERE, here)
        chips = chunk.chips if whole else ChipSum.zero()
    if (here == NOT_HERE).all():
        return None
    return chunk.part(np.where(here == NOT_HERE, NOT_HERE, here + start), run, chips)
