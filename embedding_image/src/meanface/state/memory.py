"""The state of a run in this process, for runs without Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock

from meanface.state.base import CommitStatus, decide_commit, decide_manifest, require_complete, require_plan


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
        self._attempts: dict[str, str] = {}
        self._result: str | None = None

    def put_manifest(self, manifest_json: str, digest: str, replaces: str | None = None) -> None:
        with self._lock:
            if decide_manifest(self.run, self._plan(), digest, replaces) == "stored":
                self._manifest = (manifest_json, digest)
                self._commits, self._progress, self._failures, self._attempts, self._result = {}, {}, {}, {}, None

    def manifest(self) -> str | None:
        return self._manifest and self._manifest[0]

    def commit(self, partition: int, record: bytes, digest: str, plan: str) -> CommitStatus:
        with self._lock:
            require_plan(self.run, self._plan(), plan)
            present = self._commits[partition][1] if partition in self._commits else None
            status = decide_commit(self.run, partition, present, digest)
            if status == "stored":
                self._commits[partition] = (record, digest)
            return status

    def committed(self) -> set[int]:
        with self._lock:
            return set(self._commits)

    def records(self, partitions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        for partition in partitions:
            record, _ = self._commits.get(partition, (None, ""))
            yield from require_complete(self.run, [(partition, record)])

    def put_progress(self, partition: int, progress_json: str, plan: str) -> None:
        with self._lock:
            if self._plan() == plan:
                self._progress[partition] = progress_json

    def put_failures(self, partition: int, failures_json: str, plan: str) -> None:
        with self._lock:
            if self._plan() == plan:
                self._failures[partition] = failures_json

    def put_attempt(self, name: str, attempt_json: str, plan: str) -> None:
        with self._lock:
            if self._plan() == plan:
                self._attempts[name] = attempt_json

    def put_result(self, result_json: str, plan: str) -> None:
        with self._lock:
            require_plan(self.run, self._plan(), plan)
            self._result = result_json

    def result(self) -> str | None:
        return self._result

    def close(self) -> None:
        """Nothing is open."""

    def _plan(self) -> str | None:
        return self._manifest and self._manifest[1]
