"""What every store does, and the decisions that all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from meanface.errors import Conflict, IncompleteRun

CommitStatus = Literal["stored", "duplicate"]
"""how a commit ended: it is the partition's first, or says the same as the first"""


class State(Protocol):
    """What is done in one run; safe to use from several threads.

    Every method of a store that is kept elsewhere may raise `RedisUnavailable`, after having waited for it.
    """

    @property
    def run(self) -> str:
        """Name of the run."""

    def put_manifest(self, manifest_json: str, digest: str, replaces: str | None = None) -> None:
        """Fix what the run does; a manifest with the digest of the one that is there changes nothing.

        A manifest with the digest `replaces` is given up for this one in the same step, and all that was done for it:
        commits, progress and result.

        Raises
        ------
        Conflict
            where the run has a manifest with yet another digest
        """

    def manifest(self) -> str | None:
        """The manifest, JSON; None before the run is planned."""

    def commit(self, partition: int, record: bytes, digest: str, plan: str) -> CommitStatus:
        """Keep a partition's record, unless it has one.

        The digest is of what the record says and not of its bytes, which may name the attempt and its timings; `plan`
        is the digest of the manifest that it was made for.

        Raises
        ------
        Conflict
            where the partition has a record with another digest, or the run has another manifest
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

    def put_progress(self, partition: int, progress_json: str, plan: str) -> None:
        """Say how far a partition of the manifest with the digest `plan` is; nothing where the run has another one.

        Best effort, in one short try that a store which is away does not fail.
        """

    def progress(self) -> dict[int, str]:
        """Last progress of each partition that reported any, JSON."""

    def put_failures(self, partition: int, failures_json: str, plan: str) -> None:
        """Name some of a partition's failed photos, for people; best effort, as `put_progress`."""

    def failures(self) -> dict[int, str]:
        """Failed photos of each partition that has any, JSON."""

    def put_result(self, result_json: str, plan: str) -> None:
        """Keep the run's result in place of one that is there: a repeated reduce differs in its timings only.

        Raises
        ------
        Conflict
            where the run has another manifest than the one with the digest `plan`
        """

    def result(self) -> str | None:
        """The result, JSON; None before the run is reduced."""

    def close(self) -> None:
        """Give connections back; the store is not used any more."""


def decided(subject: str, present: str | None, attempted: str) -> CommitStatus:
    """Outcome of an attempt to fix something, by the digest that was `present` before and the one `attempted`."""
    if present is None:
        return "stored"
    if present == attempted:
        return "duplicate"
    raise Conflict(
        f"{subject} with digest {present}, this attempt got {attempted}: the photos or the software have changed since;"
        " start a new run"
    )


def decided_manifest(run: str, present: str | None, attempted: str, replaces: str | None) -> CommitStatus:
    """Outcome of `put_manifest`."""
    return decided(f"run {run} is planned", None if present == replaces != attempted else present, attempted)


def decided_partition(run: str, partition: int, present: str | None, attempted: str) -> CommitStatus:
    """Outcome of `commit`."""
    return decided(f"partition {partition} of run {run} is committed", present, attempted)


def same_plan(run: str, present: str | None, plan: str) -> None:
    """Refuse what was made for another plan than the one that is `present`."""
    if present != plan:
        now = f"is planned with digest {present}" if present else "is not planned any more"
        raise Conflict(
            f"run {run} {now}, this attempt belongs to the plan with digest {plan}: the run was planned again meanwhile"
            " over other photos, and this attempt's answer does not count"
        )


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
