"""The interface of a run's state, and the decisions that all implementations share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from meanface.errors import Conflict, IncompleteRun

CommitStatus = Literal["stored", "duplicate"]
"""a partition's first commit, or one that equals the first"""


class State(Protocol):
    """The state of one run; thread-safe.

    Every method of a remote state may raise `RedisUnavailable`, after it has waited.
    """

    @property
    def run(self) -> str:
        """Name of the run."""

    def put_manifest(self, manifest_json: str, digest: str, replaces: str | None = None) -> None:
        """Store the run's manifest; one with the digest of the stored manifest changes nothing.

        A stored manifest with the digest `replaces` is replaced, and its commits, progress and
        result are deleted in the same step. Raises `Conflict` if it has any other digest.
        """

    def manifest(self) -> str | None:
        """Return the manifest, JSON; None before the run is planned."""

    def commit(self, partition: int, record: bytes, digest: str, plan: str) -> CommitStatus:
        """Store a partition's commit, unless it has one.

        `digest` is that of the commit's content, not of `record`, which may have attempt and
        timings; `plan` is that of the manifest that the commit was made for. Raises `Conflict` if
        the partition has a commit with another digest, or the run has another manifest.
        """

    def committed(self) -> set[int]:
        """Return the partitions that have a commit."""

    def records(self, partitions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Stream the commits of partitions, in the given order, a few at a time.

        Raises `IncompleteRun`, which names partitions without a commit: the mean would be wrong.
        """

    def put_progress(self, partition: int, progress_json: str, plan: str) -> None:
        """Store the progress of a partition; best effort: one short attempt, outages are ignored.

        Nothing is stored if the run has another manifest than the one with the digest `plan`.
        """

    def put_failures(self, partition: int, failures_json: str, plan: str) -> None:
        """Store some of a partition's failed photos; best effort, as `put_progress`."""

    def put_attempt(self, name: str, attempt_json: str, plan: str) -> None:
        """Store what an attempt did, under a name of its own; best effort, as `put_progress`."""

    def put_result(self, result_json: str, plan: str) -> None:
        """Store the run's result; it replaces an earlier one, which differs in timings only.

        Raises `Conflict` if the run has another manifest than the one with the digest `plan`.
        """

    def result(self) -> str | None:
        """Return the result, JSON; None before the run is reduced."""

    def close(self) -> None:
        """Close all connections; the state is no longer used."""


def decide_manifest(run: str, present: str | None, attempted: str, replaces: str | None) -> CommitStatus:
    """Decide `put_manifest` from the digest that was `present` before."""
    return _decide(f"run {run} is planned", None if present == replaces != attempted else present, attempted)


def decide_commit(run: str, partition: int, present: str | None, attempted: str) -> CommitStatus:
    """Decide `commit` from the digest that was `present` before."""
    return _decide(f"partition {partition} of run {run} is committed", present, attempted)


def _decide(subject: str, present: str | None, attempted: str) -> CommitStatus:
    if present is None:
        return "stored"
    if present == attempted:
        return "duplicate"
    raise Conflict(
        f"{subject} with digest {present}, this attempt got {attempted}: the photos or the software have changed since;"
        " start a new run"
    )


def require_plan(run: str, present: str | None, plan: str) -> None:
    """Raise `Conflict` if the plan that is `present` is not `plan`."""
    if present != plan:
        now = f"is planned with digest {present}" if present else "is not planned any more"
        raise Conflict(
            f"run {run} {now}, this attempt belongs to the plan with digest {plan}: the run was planned again meanwhile"
            " over other photos, and this attempt's result was discarded"
        )


def require_complete(run: str, found: Iterable[tuple[int, bytes | None]]) -> list[tuple[int, bytes]]:
    """Return the records found; `IncompleteRun`, which names partitions, if one is missing."""
    records, missing = list[tuple[int, bytes]](), list[str]()
    for partition, record in found:
        if record is None:
            missing.append(str(partition))
        else:
            records.append((partition, record))
    if missing:
        raise IncompleteRun(f"run {run} has no commit record of partition {', '.join(missing)}: embed it first")
    return records
