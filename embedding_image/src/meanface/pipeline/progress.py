"""How far a partition is, and which photos failed: small records for people, written while it is embedded."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import Field

from meanface.ledger.manifest import Partition
from meanface.outcome import Outcome
from meanface.pipeline.pace import RecentRate, TimeLeft
from meanface.state import State
from meanface.storage.record import Record

PartitionState = Literal["embedding", "committed", "failed"]

INTERVAL_SECONDS = 1.0

FAILURES_NAMED = 50
"""of one partition; `failures.csv` has all"""


class Progress(Record):
    """One partition's state; times in seconds since 1970."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    partition: int
    state: PartitionState
    photos: int
    photos_done: int
    outcomes: dict[Outcome, int]
    photos_per_second: float
    """since the start"""
    recent_photos_per_second: float
    """over the last minute before `updated_at`"""
    photos_taken: int = 0
    """of `photos_done`: those that an earlier attempt or another run has done"""
    eta_seconds: float | None
    """None until the rate is known, see `meanface.pipeline.pace`"""
    attempt: int
    host: str
    started_at: float
    updated_at: float
    failures_named: int
    """failed photos that `Failures` speaks of, by name or by number"""
    message: str | None = None


class Failures(Record):
    """Some of a partition's failed photos: name, outcome, detail; and how many more there are."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    failures: tuple[tuple[str, Outcome, str], ...]
    more: int


class Tracker:
    """Counts a partition's photos and writes its progress, at most once a second.

    Parameters
    ----------
    store
        of the run
    partition
        as planned
    plan
        digest of the manifest
    attempt
        which try this is, for people
    listener
        called with every record, for a progress bar or a log
    """

    def __init__(
        self, state: State, partition: Partition, plan: str, attempt: int, listener: Callable[[Progress], None]
    ) -> None:
        self._state, self._plan, self._listener = state, plan, listener
        self._partition, self._photos, self._attempt = partition.index, partition.photos, attempt
        self._outcomes: Counter[Outcome] = Counter()
        self._resumed = 0
        self._failures: list[tuple[str, Outcome, str]] = []
        self._started_at, self._started = time.time(), time.monotonic()  # the wall clock may jump
        self._pace, self._time_left = RecentRate(self._started), TimeLeft()
        self._written = self._started
        self._write("embedding")

    def resume(self, outcomes: Counter[Outcome]) -> None:
        """Count photos that an earlier attempt or another run has done."""
        self._resumed += outcomes.total()
        self._outcomes += outcomes

    def count(self, outcome: Outcome) -> None:
        """Count one photo, and write if it is time."""
        self._outcomes[outcome] += 1
        if time.monotonic() - self._written >= INTERVAL_SECONDS:
            self._write("embedding")

    def name(self, failures: Iterable[tuple[str, Outcome, str]]) -> None:
        """Name more failed photos: photo, outcome, detail."""
        before = len(self._failures)
        self._failures += failures
        if len(self._failures) > before:
            named = Failures(
                failures=tuple(self._failures[:FAILURES_NAMED]), more=max(0, len(self._failures) - FAILURES_NAMED)
            )
            self._state.put_failures(self._partition, named.model_dump_json(by_alias=True), self._plan)

    def end(self, state: PartitionState, message: str | None = None) -> None:
        """Write how it ended."""
        self._write(state, message)

    def _write(self, state: PartitionState, message: str | None = None) -> None:
        self._written = time.monotonic()
        done = self._outcomes.total()
        elapsed = max(self._written - self._started, 1e-3)
        computed = done - self._resumed
        recent = self._pace(self._written, computed)
        _, eta = self._time_left(self._written, computed, self._photos - done)
        record = Progress(
            partition=self._partition,
            state=state,
            photos=self._photos,
            photos_done=done,
            outcomes=dict(self._outcomes),
            photos_per_second=round(computed / elapsed, 2),
            recent_photos_per_second=round(recent, 2),
            photos_taken=self._resumed,
            eta_seconds=None if eta is None else round(eta, 1),
            attempt=self._attempt,
            host=socket.gethostname(),
            started_at=self._started_at,
            updated_at=time.time(),
            failures_named=len(self._failures),
            message=message,
        )
        self._state.put_progress(self._partition, record.model_dump_json(by_alias=True), self._plan)
        self._listener(record)
