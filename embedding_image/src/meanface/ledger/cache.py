"""What runs have computed, by content address: a partition that one has done, others need not do again.

An entry is one small file in the storage that runs share, outside any run's folder, and written after the commit. It is
a hint and no truth: what it points at is read and checked chunk by chunk, and computed where it is gone, damaged or
about something else. Two runs that do one partition at the same time both write an entry, and either is right.

Of a dataset, one more file names the plan that was reduced last: there single photos are found whose partition is
another one now (see `meanface.ledger.reuse`).

A ledger without chip sums (`face_pixels=false`) has an entry of its own, beside that of one with: it serves runs that
want none, and does not hide the other from those that do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeVar

import structlog
from pydantic import Field, NonNegativeInt

from meanface.errors import DamagedRecord, StorageUnavailable
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.ledger.manifest import Manifest, Partition, PlanAt, scope
from meanface.storage.files import Storage
from meanface.storage.layout import NAME, chunk_path, dataset_entry_path, files_of, partition_entry_path
from meanface.storage.record import Record

SCHEMA = 1

log = structlog.get_logger(__name__)


class Newest(Record):
    """Which plan over a dataset was reduced last."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run: str = Field(pattern=f"^{NAME}$")
    folder: str = Field(pattern=r"^(|plans/[0-9a-f]{16})$")


class Entry(Record):
    """Where the ledger of a content address is."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    address: str
    run: str = Field(pattern=f"^{NAME}$")
    folder: str = Field(pattern=r"^(|plans/[0-9a-f]{16})$")
    """of the plan, see `Manifest.folder`"""
    partition: NonNegativeInt
    digest: str
    """of the partition's photos, as in the manifest"""

    @classmethod
    def of(cls, manifest: Manifest, plan: Partition) -> Entry:
        """The entry of a run's partition, which has an address."""
        return cls(
            address=plan.address or "",
            run=manifest.run,
            folder=manifest.folder,
            partition=plan.index,
            digest=plan.digest,
        )


E = TypeVar("E", Entry, Newest)


class Catalog:
    """Entries of the storage that a run shares with others; none where it stands alone.

    Nothing here fails a run: what cannot be looked up is computed, and what cannot be noted is computed by others.
    """

    def __init__(self, shared: Storage | None) -> None:
        self._shared = shared

    def note(self, manifest: Manifest, plan: Partition) -> None:
        """Say that this run has the ledger of a partition's address."""
        if self._shared is None or plan.address is None:
            return
        self._write(partition_entry_path(plan.address, pixels=manifest.settings.face_pixels), Entry.of(manifest, plan))

    def entries(self, manifest: Manifest, plan: Partition) -> Iterator[Entry]:
        """Who has a ledger of a partition's address that may be of use, the likeliest first."""
        for pixels in (True,) if manifest.settings.face_pixels else (False, True):
            entry = self._entry(plan, pixels=pixels)
            if entry is not None:
                yield entry

    def _entry(self, plan: Partition, *, pixels: bool) -> Entry | None:
        if self._shared is None or plan.address is None:
            return None
        entry = self._read(partition_entry_path(plan.address, pixels=pixels), Entry)
        return entry if entry and (entry.address, entry.digest) == (plan.address, plan.digest) else None

    def note_newest(self, manifest: Manifest) -> None:
        """Have later runs over the same dataset look into this plan's ledger for photos that they have in common."""
        path = _newest_path(manifest, pixels=manifest.settings.face_pixels)
        self._write(path, Newest(run=manifest.run, folder=manifest.folder))

    def newest(self, manifest: Manifest) -> Iterator[PlanAt]:
        """Plans over the same dataset that were reduced last, the likeliest first."""
        for pixels in (True,) if manifest.settings.face_pixels else (False, True):
            found = self._read(_newest_path(manifest, pixels=pixels), Newest)
            if found is not None:
                yield PlanAt(run=found.run, folder=found.folder)

    def chunk(self, entry: Entry, number: int, key: ChunkKey) -> Chunk | None:
        """A chunk of an entry's ledger, if it is whole, about `key`, and final."""
        if self._shared is None:
            return None
        files, path = files_of(self._shared, entry.run), chunk_path(entry.partition, number)
        files = files.child(entry.folder) if entry.folder else files
        try:
            chunk = Chunk.from_parquet(files.read(path), key)
        except FileNotFoundError:
            reason = "gone"
        except (DamagedRecord, StorageUnavailable) as trouble:
            reason = str(trouble)
        else:
            if not any(outcome.passing for outcome in chunk.outcomes()):
                return chunk
            reason = "some of its photos may end otherwise this time"
        log.info("another run's chunk is of no use", run=entry.run, path=path, reason=reason)
        return None

    def _read(self, path: str, kind: type[E]) -> E | None:
        if self._shared is None:
            return None
        try:
            return kind.parsed(self._shared.read(path), f"an entry of schema {SCHEMA}")
        except FileNotFoundError:
            return None
        except (StorageUnavailable, DamagedRecord) as trouble:
            log.warning("catalog entry cannot be read", path=path, reason=str(trouble))
            return None

    def _write(self, path: str, entry: Entry | Newest) -> None:
        if self._shared is None:
            return
        try:
            if self._shared.exists(path):
                type(entry).parsed(self._shared.read(path), f"an entry of schema {SCHEMA}")  # whatever is none stays
            self._shared.write(path, entry.model_dump_json(by_alias=True).encode())
        except (StorageUnavailable, FileNotFoundError, DamagedRecord) as trouble:
            log.warning("not noted for other runs", path=path, reason=str(trouble))


def _newest_path(manifest: Manifest, *, pixels: bool) -> str:
    return dataset_entry_path(scope(manifest.recipe, manifest.source), pixels=pixels)
