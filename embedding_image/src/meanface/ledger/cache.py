"""A cache of computed partitions, shared by runs: content address -> the run that has the ledger.

An entry is a small file in the shared storage, outside the runs' folders, written after the commit.
It is only a hint: the chunks it points at are read and checked, and computed if they are missing,
damaged or of other photos. Concurrent runs of one partition both write an entry, and either is
right.

One more file per dataset names the plan that was reduced last: `meanface.ledger.reuse` looks there
for single photos whose partition has changed.

An entry records whether its ledger has pixels. A run without pixels (`face_pixels=false`) can use
either kind, so it does not replace an entry that has them. The newest plan is always the last one:
otherwise photos that were added since would be embedded again by every run without pixels.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import structlog
from pydantic import Field, NonNegativeInt

from meanface.errors import DamagedRecord, StorageUnavailable
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.ledger.manifest import Manifest, Partition, scope
from meanface.storage import layout
from meanface.storage.files import Storage
from meanface.storage.record import Record

SCHEMA = 1

log = structlog.get_logger(__name__)


class Newest(Record):
    """The plan over a dataset that was reduced last."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run: str = Field(pattern=f"^{layout.NAME}$")
    plan: str = Field(pattern=f"^{layout.PLAN}$")
    """see `Manifest.plan`"""
    pixels: bool
    """whether its ledger has chip sums and thumbnails"""


class Entry(Newest):
    """The place of the ledger of a content address."""

    address: str
    partition: NonNegativeInt
    digest: str
    """of the partition in the manifest"""

    @classmethod
    def of(cls, manifest: Manifest, plan: Partition) -> Entry:
        """Make the entry of a partition that has an address."""
        return cls(
            address=plan.address or "",
            run=manifest.run,
            plan=manifest.plan,
            pixels=manifest.settings.face_pixels,
            partition=plan.index,
            digest=plan.digest,
        )


E = TypeVar("E", Entry, Newest)


class Catalog:
    """The cache in the shared storage; empty for a run by itself.

    No failure here fails a run: what cannot be found is computed.
    """

    def __init__(self, shared: Storage | None) -> None:
        self._shared = shared

    def note(self, manifest: Manifest, plan: Partition) -> None:
        """Write the entry of a partition of this run."""
        if plan.address is not None:
            self._write(layout.partition_entry_path(plan.address), Entry.of(manifest, plan))

    def entry(self, manifest: Manifest, plan: Partition) -> Entry | None:
        """Return the entry that may serve a partition."""
        if plan.address is None:
            return None
        entry = self._read(layout.partition_entry_path(plan.address), Entry, manifest)
        return entry if entry and (entry.address, entry.digest) == (plan.address, plan.digest) else None

    def note_newest(self, manifest: Manifest) -> None:
        """Record this plan as the dataset's newest, where later runs look for shared photos."""
        newest = Newest(run=manifest.run, plan=manifest.plan, pixels=manifest.settings.face_pixels)
        self._write(_newest_path(manifest), newest)

    def newest(self, manifest: Manifest) -> Newest | None:
        """Return the plan over the same dataset that was reduced last."""
        return self._read(_newest_path(manifest), Newest, manifest)

    def chunk(self, entry: Entry, number: int, key: ChunkKey) -> Chunk | None:
        """Read a chunk of an entry's ledger, if it is intact, has the key and is final."""
        if self._shared is None:
            return None
        files = layout.files_of(self._shared, entry.run)
        path = layout.PlanFiles(files, entry.plan).chunk(entry.partition, number)
        try:
            chunk = Chunk.from_parquet(files.read(path), key)
        except FileNotFoundError:
            reason = "gone"
        except (DamagedRecord, StorageUnavailable) as trouble:
            reason = str(trouble)
        else:
            if not any(outcome.passing for outcome in chunk.outcomes()):
                return chunk
            reason = "some of its photos may have another outcome this time"
        log.info("another run's chunk cannot be used", run=entry.run, path=path, reason=reason)
        return None

    def _read(self, path: str, kind: type[E], manifest: Manifest) -> E | None:
        """Read an entry; one without pixels does not serve a run that needs them."""
        if self._shared is None:
            return None
        try:
            entry = kind.parsed(self._shared.read(path), f"an entry of schema {SCHEMA}")
        except FileNotFoundError:
            return None
        except (StorageUnavailable, DamagedRecord) as trouble:
            log.warning("catalog entry cannot be read", path=path, reason=str(trouble))
            return None
        return entry if entry.pixels or not manifest.settings.face_pixels else None

    def _write(self, path: str, entry: Newest) -> None:
        if self._shared is None:
            return
        try:
            if self._shared.exists(path):  # anything but an entry is not overwritten
                present = type(entry).parsed(self._shared.read(path), f"an entry of schema {SCHEMA}")
                better = isinstance(entry, Entry) and present.pixels and not entry.pixels
                if better and _is_of_another_plan(self._shared, present, entry):
                    return
            self._shared.write(path, entry.model_dump_json(by_alias=True).encode())
        except (StorageUnavailable, FileNotFoundError, DamagedRecord) as trouble:
            log.warning("not recorded for other runs", path=path, reason=str(trouble))


def _is_of_another_plan(shared: Storage, entry: Newest, other: Newest) -> bool:
    """Tell whether an entry is of another plan, which is still in storage."""
    files = layout.PlanFiles(layout.files_of(shared, entry.run), entry.plan)
    return (entry.run, entry.plan) != (other.run, other.plan) and files.run.exists(files.manifest)


def _newest_path(manifest: Manifest) -> str:
    return layout.dataset_entry_path(scope(manifest.recipe, manifest.source))
