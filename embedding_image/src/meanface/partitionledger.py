"""The ledger of one partition in storage: chunks that are there, in this run or another, and chunks to be made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import PurePosixPath

import structlog

from meanface import ledger, photolist
from meanface.catalog import Catalog, Entry
from meanface.errors import DamagedRecord
from meanface.ledger import CHUNK_PHOTOS, Chunk, ChunkKey
from meanface.manifest import Manifest, Partition, PhotoRef
from meanface.photolist import PhotoList
from meanface.photoresult import PhotoResult
from meanface.run import Run
from meanface.settings import Labels

log = structlog.get_logger(__name__)


class PartitionLedger:
    """Chunks of one partition by number.

    Raises
    ------
    DamagedRecord
        if the photos in storage are not those of the manifest
    """

    def __init__(self, run: Run, manifest: Manifest, plan: Partition) -> None:
        self._manifest, self._plan = manifest, plan
        self._files, self._catalog = run.plan_files(manifest), Catalog(run)
        self._start = sum(earlier.photos for earlier in manifest.partitions[: plan.index])
        self.photos = self._listed()

    @property
    def numbers(self) -> range:
        """Of the chunks."""
        return range(-(-len(self.photos) // CHUNK_PHOTOS))

    def places(self, number: int) -> range:
        """Places of a chunk's photos in the partition."""
        return range(number * CHUNK_PHOTOS, min((number + 1) * CHUNK_PHOTOS, len(self.photos)))

    def is_whole(self) -> bool:
        """Whether this run has every chunk."""
        return all(self._own(number) is not None for number in self.numbers)

    def find(self, number: int) -> Chunk | None:
        """The chunk that an earlier attempt, or another run, has computed; it is in this ledger when it is returned."""
        return self._own(number) or self._taken(number)

    def keep(self, number: int, chunk: Chunk) -> None:
        """Put a chunk into storage."""
        self._files.write(ledger.path(self._plan.index, number), chunk.to_parquet(self._key(number)))

    def chunk(self, number: int, results: Mapping[int, PhotoResult]) -> Chunk:
        """The chunk of what became of its photos, by place."""
        places = self.places(number)
        photos = [self.photos[place] for place in places]
        labels = [_label(photo, self._manifest.settings.labels) for photo in photos]
        return Chunk.of(self._start + places.start, photos, [results[place] for place in places], labels)

    def _own(self, number: int) -> Chunk | None:
        """The chunk that an earlier attempt wrote, if it is whole and about these photos."""
        path = ledger.path(self._plan.index, number)
        try:
            return Chunk.from_parquet(self._files.read(path), self._key(number))
        except FileNotFoundError:
            return None
        except DamagedRecord as damage:
            log.warning("chunk computed again", path=path, reason=str(damage))
            return None

    def _taken(self, number: int) -> Chunk | None:
        """The chunk of another run that has done this partition, as one of this run."""
        if self._elsewhere is None:
            return None
        found = self._catalog.chunk(self._elsewhere, number, self._key(number))
        if found is None:
            return None
        chunk = found.taken(self._start + self.places(number).start, self._elsewhere.run)
        self.keep(number, chunk)
        return chunk

    @cached_property
    def _elsewhere(self) -> Entry | None:
        entry = self._catalog.entry(self._plan)
        return None if entry == Entry.of(self._manifest, self._plan) else entry

    def _key(self, number: int) -> ChunkKey:
        return ChunkKey.of(self._manifest.recipe, [self.photos[place] for place in self.places(number)])

    def _listed(self) -> list[PhotoRef]:
        """The partition's photos, as planned."""
        path = photolist.path(self._plan.index)
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
        return list(listed)


def _label(photo: PhotoRef, labels: Labels) -> str | None:
    """The photo's label: the folder that holds it, or none."""
    return PurePosixPath(photo.name).parent.name if labels is Labels.PARENT_FOLDER else None
