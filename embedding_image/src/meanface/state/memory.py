"""A store in this process: for runs without Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock

from meanface.state.base import CommitStatus, complete, decided_manifest, decided_partition, same_plan


class MemoryState:
    """A `State` that lives as long as the object.

    Examples
    --------
    >>> state = MemoryState("monday")
    >>> state.put_manifest("{}", digest="p1")
    >>> [state.commit(0, record, digest="d1", plan="p1") for record in (b"record", b"second attempt")]
    ['stored', 'duplicate']
    >>> dict(state.records([0]))
    {0: b'record'}
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self._lock = Lock()
        self._manifest: tuple[str, str] | None = None
        self._commits: dict[int, tuple[bytes, str]] = {}
        self._progress: dict[int, str] = {}
        self._failures: dict[int, str] = {}
        self._result: str | None = None

    def put_manifest(self, manifest_json: str, digest: str, replaces: str | None = None) -> None:
        """Fix what the run does, or raise `Conflict`; what was done for the replaced manifest goes with it."""
        with self._lock:
            if decided_manifest(self.run, self._plan(), digest, replaces) == "stored":
                self._manifest = (manifest_json, digest)
                self._commits, self._progress, self._failures, self._result = {}, {}, {}, None

    def manifest(self) -> str | None:
        """The manifest, JSON; None before the run is planned."""
        return self._manifest and self._manifest[0]

    def commit(self, partition: int, record: bytes, digest: str, plan: str) -> CommitStatus:
        """Keep a partition's record unless it has one, or raise `Conflict`."""
        with self._lock:
            same_plan(self.run, self._plan(), plan)
            present = self._commits[partition][1] if partition in self._commits else None
            outcome = decided_partition(self.run, partition, present, digest)
            if outcome == "stored":
                self._commits[partition] = (record, digest)
            return outcome

    def committed(self) -> set[int]:
        """Partitions that have a record."""
        with self._lock:
            return set(self._commits)

    def records(self, partitions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Records of partitions, in the order asked for; `IncompleteRun` names one that is missing."""
        for partition in partitions:
            record, _ = self._commits.get(partition, (None, ""))
            yield from complete(self.run, [(partition, record)])

    def put_progress(self, partition: int, progress_json: str, plan: str) -> None:
        """Say how far a partition is, unless the run has another plan."""
        with self._lock:
            if self._plan() == plan:
                self._progress[partition] = progress_json

    def progress(self) -> dict[int, str]:
        """Last progress of each partition that reported any, JSON."""
        with self._lock:
            return dict(self._progress)

    def put_failures(self, partition: int, failures_json: str, plan: str) -> None:
        """Name a partition's failed photos, unless the run has another plan."""
        with self._lock:
            if self._plan() == plan:
                self._failures[partition] = failures_json

    def failures(self) -> dict[int, str]:
        """Failed photos of each partition that has any, JSON."""
        with self._lock:
            return dict(self._failures)

    def put_result(self, result_json: str, plan: str) -> None:
        """Keep the run's result in place of one that is there, or raise `Conflict`."""
        with self._lock:
            same_plan(self.run, self._plan(), plan)
            self._result = result_json

    def result(self) -> str | None:
        """The result, JSON; None before the run is reduced."""
        return self._result

    def close(self) -> None:
        """Nothing is open."""

    def _plan(self) -> str | None:
        return self._manifest and self._manifest[1]
