"""What every store does, and the decisions that all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from meanface.errors import Conflict, IncompleteRun

Commit = Literal["stored", "duplicate"]
"""how a commit ended: it is the partition's first, or says the same as the first"""


class Store(Protocol):
    """What is done in one run; safe to use from several threads.

    Every method of a store that is kept elsewhere may raise `StoreUnavailable`, after having waited for it.
    """

    @property
    def run(self) -> str:
        """Name of the run."""

    def put_manifest(self, manifest_json: str, digest: str) -> None:
        """Fix what the run does; a manifest with the digest of the one that is there changes nothing.

        Raises
        ------
        Conflict
            where the run has a manifest with another digest
        """

    def manifest(self) -> str | None:
        """The manifest, JSON; None before the run is planned."""

    def commit(self, partition: int, record: bytes, digest: str) -> Commit:
        """Keep a partition's record, unless it has one.

        The digest is of what the record says and not of its bytes, which may name the attempt and its timings.

        Raises
        ------
        Conflict
            where the partition has a record with another digest
        """

    def committed(self) -> set[int]:
        """Partitions that have a record."""

    def records(self, partitions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Records of partitions, in the order asked for; only a few are in memory at a time.

        Raises
        ------
        IncompleteRun
            naming partitions without a record: to skip them would make a wrong mean
        """

    def put_progress(self, partition: int, progress_json: str) -> None:
        """Say how far a partition is: best effort, in one short try that a store which is away does not fail."""

    def progress(self) -> dict[int, str]:
        """Last progress of each partition that reported any, JSON."""

    def put_result(self, result_json: str) -> None:
        """Keep the run's result in place of one that is there: a repeated reduce differs in its timings only."""

    def result(self) -> str | None:
        """The result, JSON; None before the run is reduced."""

    def close(self) -> None:
        """Give connections back; the store is not used any more."""


def decided(subject: str, present: str | None, attempted: str) -> Commit:
    """Outcome of an attempt to fix something, by the digest that was `present` before and the one `attempted`."""
    if present is None:
        return "stored"
    if present == attempted:
        return "duplicate"
    raise Conflict(
        f"{subject} with digest {present}, this attempt got {attempted}: the photos or the software have changed since;"
        " start a new run"
    )


def decided_manifest(run: str, present: str | None, attempted: str) -> Commit:
    """Outcome of `put_manifest`."""
    return decided(f"run {run} is planned", present, attempted)


def decided_partition(run: str, partition: int, present: str | None, attempted: str) -> Commit:
    """Outcome of `commit`."""
    return decided(f"partition {partition} of run {run} is committed", present, attempted)


def complete(run: str, found: Iterable[tuple[int, bytes | None]]) -> list[tuple[int, bytes]]:
    """The records found, none of which may be missing."""
    records = []
    missing = []
    for partition, record in found:
        if record is None:
            missing.append(str(partition))
        else:
            records.append((partition, record))
    if missing:
        raise IncompleteRun(f"run {run} has no commit record of partition {', '.join(missing)}: embed it first")
    return records
