"""The ledger of one partition in storage: chunks of this run or another, and chunks to compute."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import structlog

from meanface.embedder.result import PhotoResult
from meanface.errors import DamagedRecord
from meanface.ledger import chip_sum_files
from meanface.ledger.cache import Catalog, Entry
from meanface.ledger.chip_sum_files import KeptChips
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.ledger.commit import Commit
from meanface.ledger.manifest import Manifest, Partition
from meanface.ledger.photo_labels import label_of
from meanface.ledger.photo_list import PhotoList
from meanface.ledger.reuse import EarlierPlans
from meanface.ledger.thumbnails import with_thumbnails
from meanface.outcome import Outcome
from meanface.stats.chip_sum import ChipSum, RunningChipSum
from meanface.stats.exact_sum import ExactSum
from meanface.storage.files import Storage
from meanface.storage.layout import PlanFiles

log = structlog.get_logger(__name__)


class UnfinishedChunk:
    """The results of a chunk's photos so far, by place; of their chips, the sum and thumbnails are held.

    `places` are those of the photos to compute, in the partition; earlier plans have the photos
    `taken`.
    """

    def __init__(self, places: Sequence[int], *, pixels: bool, taken: Chunk | None = None) -> None:
        self.places, self.taken = places, taken
        self._results: dict[int, PhotoResult] = {}
        self._pixels = pixels
        self._chips: RunningChipSum | None = None  # it takes 540 kB, and many chunks may be unfinished

    def add(self, place: int, result: PhotoResult) -> None:
        """Add the result of a photo; `ValueError` if a chip is needed and missing."""
        for face in result.faces if self._pixels else ():
            if face.chip is None:
                raise ValueError(f"a face of the photo at place {place} has no chip")
            self._chips = self._chips or RunningChipSum()
            self._chips.add(face.chip)
        kept = with_thumbnails(result) if self._pixels else result
        self._results[place] = kept.without_chips()

    @property
    def complete(self) -> bool:
        """Whether all photos have been added."""
        return len(self._results) == len(self.places)

    def results(self) -> list[PhotoResult]:
        """Return the computed results, in order."""
        return [self._results[place] for place in self.places]

    def chips(self) -> ChipSum | None:
        """Return the sum of their faces' chips; None if it is not kept."""
        total = self._chips.total() if self._chips else ChipSum.zero()
        return total if self._pixels else None


class PartitionLedger:
    """The chunks of one partition, by number; they have chip sums and thumbnails if the settings keep pixels.

    Raises
    ------
    DamagedRecord
        if the photo list in storage is not that of the manifest
    """

    def __init__(self, files: Storage, shared: Storage | None, manifest: Manifest, plan: Partition) -> None:
        self._manifest, self._plan = manifest, plan
        self._pixels = manifest.settings.face_pixels
        self._files, self._at, self._catalog = files, PlanFiles(files, manifest.plan), Catalog(shared)
        self._start = sum(earlier.photos for earlier in manifest.partitions[: plan.index])
        listed = self._listed()
        self.photos, self._chunks = list(listed), listed.chunks()
        self._earlier = EarlierPlans(files, shared, manifest, plan, self.photos)
        if len(self._chunks) != plan.chunks:
            raise DamagedRecord(
                f"partition {plan.index} of run {manifest.run} was planned with {plan.chunks} chunks, but this program "
                f"makes {len(self._chunks)}: another release has planned it; plan the run again"
            )

    @property
    def numbers(self) -> range:
        """Numbers of the chunks."""
        return range(len(self._chunks))

    def places(self, number: int) -> range:
        """Return the places of a chunk's photos in the partition."""
        return self._chunks[number]

    def chunk_of(self, place: int) -> int:
        """Return the number of the chunk with the photo at a place."""
        return bisect_right(self._chunks, place, key=lambda places: places.start) - 1

    def holds(self, commit: Commit) -> bool:
        """Tell whether this run has every chunk and the chip sum, and they match the commit."""
        outcomes, faces, chips = Counter[Outcome](), ExactSum.zero(), ChipSum.zero()
        for number in self.numbers:
            chunk = self._own(number)
            if chunk is None:
                return False
            outcomes += chunk.outcomes()
            faces += ExactSum.of(chunk.embeddings())
            chips += chunk.chips or ChipSum.zero()
        if not self._pixels:
            return commit.agrees(outcomes, faces)
        own = KeptChips(self._plan.index, chips.digest(), chips.count)
        same = commit.agrees(outcomes, faces) and commit.head.chips == own.digest
        return same and chip_sum_files.holds(self._at, own)

    def find(self, number: int) -> Chunk | None:
        """Return the chunk of an earlier attempt or another run; it is in this ledger then."""
        return self._own(number) or self._taken(number)

    def keep(self, number: int, chunk: Chunk, *, new: bool = False) -> bool:
        """Write a chunk; False if it must be `new`, and there is one already."""
        path, data = self._at.chunk(self._plan.index, number), chunk.to_parquet(self._key(number))
        if new:
            return self._files.create(path, data)
        self._files.write(path, data)
        return True

    def unfinished(self, number: int, *, anew: bool = False) -> UnfinishedChunk:
        """Begin a chunk, with photos from earlier plans unless it is made anew."""
        places = self.places(number)
        taken = None if anew else self._earlier.take(places, self._start)
        known = set() if taken is None else set((taken.table["position"].to_numpy() - self._start).tolist())
        return UnfinishedChunk([place for place in places if place not in known], pixels=self._pixels, taken=taken)

    def finish(self, number: int, chunk: UnfinishedChunk, detector: str, *, replace: bool) -> Chunk:
        """Write the chunk of complete results, and return the one in storage.

        Unless it must `replace` it, that is the chunk of another attempt that was faster: two
        attempts may get different outcomes, and both must commit those in the ledger.
        """
        finished = self._rows(chunk, detector).with_extreme_thumbnails()
        if not self.keep(number, finished, new=not replace):
            present = self._own(number)
            if present is not None:
                return present
            self.keep(number, finished)  # the present one is damaged
        return finished

    def _rows(self, chunk: UnfinishedChunk, detector: str) -> Chunk:
        if chunk.taken is not None and not chunk.places:
            return chunk.taken
        photos = [self.photos[place] for place in chunk.places]
        labels = [label_of(photo, self._manifest.settings.labels) for photo in photos]
        dimensions = self._manifest.dimensions
        computed = Chunk.of(0, photos, chunk.results(), labels, chunk.chips(), detector, dimensions=dimensions)
        computed = computed.at(self._start + np.array(chunk.places))
        return computed if chunk.taken is None else Chunk.joined([computed, chunk.taken])

    def keep_chips(self, total: ChipSum) -> str | None:
        """Write the partition's chip sum, if the settings keep pixels; return its digest."""
        if not self._pixels:
            return None
        self._files.write(self._at.chip_sum(self._plan.index), total.to_bytes())
        return total.digest()

    def sync(self) -> None:
        """Make all chunks survive a power cut, including those of an attempt that was killed."""
        self._files.sync(self._at.chunks(self._plan.index))

    def _own(self, number: int) -> Chunk | None:
        """Read the chunk of an earlier attempt, if it is intact and of these photos."""
        path = self._at.chunk(self._plan.index, number)
        try:
            chunk = Chunk.from_parquet(self._files.read(path), self._key(number))
        except FileNotFoundError:
            return None
        except DamagedRecord as damage:
            log.warning("chunk computed again", path=path, reason=str(damage))
            return None
        if self._pixels and chunk.chips is None:
            log.info("chunk computed again", path=path, reason="it has no chip sum, because face_pixels was off")
            return None
        if chunk.chips is not None and not self._pixels:
            chunk = chunk.without_pixels()
            self.keep(number, chunk)
        return chunk

    def _taken(self, number: int) -> Chunk | None:
        """Copy the chunk of another run with this partition into this run's ledger."""
        entry = self._elsewhere
        found = entry and self._catalog.chunk(entry, number, self._key(number))
        if not entry or not found or (self._pixels and found.chips is None):
            return None
        chunk = found.taken(self._start + self.places(number).start, entry.run)
        chunk = chunk if self._pixels else chunk.without_pixels()
        self.keep(number, chunk)
        return chunk

    @cached_property
    def _elsewhere(self) -> Entry | None:
        entry = self._catalog.entry(self._manifest, self._plan)
        own = (self._manifest.run, self._manifest.plan)
        return entry if entry and (entry.run, entry.plan) != own else None

    def _key(self, number: int) -> ChunkKey:
        return ChunkKey.of(self._manifest.recipe, [self.photos[place] for place in self.places(number)])

    def _listed(self) -> PhotoList:
        path = self._at.photo_list(self._plan.index)
        try:
            listed = PhotoList.from_parquet(self._files.read(path))
        except FileNotFoundError:
            raise DamagedRecord(f"{self._files.url}/{path} is gone: plan the run again") from None
        except DamagedRecord as damage:
            raise DamagedRecord(f"{self._files.url}/{path}: {damage}: plan the run again") from None
        if listed.listing() != self._plan.listing:
            raise DamagedRecord(
                f"{self._files.url}/{path} lists other photos than the manifest of run {self._manifest.run}: plan it"
                " again"
            )
        return listed
