"""Progress of a partition, its rate, and its failed photos: small records for displays."""

from __future__ import annotations

import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import Field

from meanface.ledger.manifest import Partition
from meanface.outcome import Outcome
from meanface.state import State
from meanface.storage.record import Record

PartitionState = Literal["embedding", "committed", "failed"]

INTERVAL_SECONDS = 1.0
FAILURES_NAMED = 50
"""per partition; `failures.csv` has all"""

WINDOW_SECONDS = 60.0
SETTLED_SECONDS = 10.0
SETTLED_PHOTOS = 10
"""after the first result; an earlier rate measures the start of the workers"""
FEW_PHOTOS = 3
"""suffice after a whole window, as photos may take long"""


class RecentRate:
    """Throughput over a sliding 60-second window; over more if nothing was counted for longer.

    >>> rate = RecentRate(0.0)
    >>> rate(10.0, 100), rate(60.0, 600), rate(90.0, 630), rate(120.0, 660)
    (10.0, 10.0, 6.625, 1.0)
    """

    def __init__(self, started: float, photos: int = 0) -> None:
        self._counts = deque([(started, photos)])

    def __call__(self, now: float, photos: int) -> float:
        """Return photos per second, with `photos` finished at time `now`."""
        self._counts.append((now, photos))
        while self._counts[1][0] <= now - WINDOW_SECONDS:
            self._counts.popleft()
        since, before = self._counts[0]
        return (photos - before) / max(now - since, 1e-3)


class TimeLeft:
    """Rate and remaining time, both None until the rate is reliable.

    Counting starts at the first results: their duration and number say
    nothing about the rate.

    >>> left = TimeLeft()
    >>> left(4.0, 1, 99), left(9.0, 11, 89), left(14.0, 21, 79)
    ((None, None), (None, None), (2.0, 39.5))
    """

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._rate: RecentRate | None = None

    def __call__(self, now: float, computed: int, left: int) -> tuple[float | None, float | None]:
        """Return photos per second and seconds left; the latter is None also while nothing moves.

        `computed` and `left` count photos; those found in a ledger are in neither.
        """
        if self._first is None or self._rate is None:
            if computed:
                self._first, self._rate = (now, computed), RecentRate(now, computed)
            return None, None
        rate = self._rate(now, computed)
        seconds, photos = now - self._first[0], computed - self._first[1]
        settled = seconds >= SETTLED_SECONDS and photos >= SETTLED_PHOTOS
        if not (photos >= FEW_PHOTOS if seconds >= WINDOW_SECONDS else settled):
            return None, None
        return rate, left / rate if rate > 0 else None


class Progress(Record):
    """The progress of one partition; times are in seconds since 1970."""

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
    """of `photos_done`, those found in the ledger of an earlier attempt or another run"""
    eta_seconds: float | None
    """None until the rate is reliable, see `TimeLeft`"""
    attempt: int
    host: str
    started_at: float
    updated_at: float
    failures_named: int
    """failed photos in `Failures`, named or counted"""
    message: str | None = None


class Failures(Record):
    """The first failed photos of a partition (name, outcome, detail), and the number of others."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    failures: tuple[tuple[str, Outcome, str], ...]
    more: int


class Tracker:
    """Count a partition's photos and write its progress, at most once a second.

    `plan` is the digest of the manifest; the listener is called with every record.
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
        self._rate, self._time_left = RecentRate(self._started), TimeLeft()
        self._written = self._started
        self._write("embedding")

    def resume(self, outcomes: Counter[Outcome]) -> None:
        """Count photos found in the ledger of an earlier attempt or another run."""
        self._resumed += outcomes.total()
        self._outcomes += outcomes

    def count(self, outcome: Outcome) -> None:
        """Count one computed photo; write if the last record is a second old."""
        self._outcomes[outcome] += 1
        if time.monotonic() - self._written >= INTERVAL_SECONDS:
            self._write("embedding")

    def name(self, failures: Iterable[tuple[str, Outcome, str]]) -> None:
        """Add failed photos: name, outcome, detail."""
        before = len(self._failures)
        self._failures += failures
        if len(self._failures) > before:
            named = Failures(
                failures=tuple(self._failures[:FAILURES_NAMED]), more=max(0, len(self._failures) - FAILURES_NAMED)
            )
            self._state.put_failures(self._partition, named.model_dump_json(by_alias=True), self._plan)

    def end(self, state: PartitionState, message: str | None = None) -> None:
        """Write the last record."""
        self._write(state, message)

    def _write(self, state: PartitionState, message: str | None = None) -> None:
        self._written = time.monotonic()
        done = self._outcomes.total()
        elapsed = max(self._written - self._started, 1e-3)
        computed = done - self._resumed
        recent = self._rate(self._written, computed)
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
