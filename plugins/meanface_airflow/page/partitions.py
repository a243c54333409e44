"""The state of each partition of a run, and totals over all of them; pure.

There are three sources for a partition: its progress record (what it did, and when it last
reported), the set of committed partitions (the only proof that it is done), and its task in Airflow
(what happens to it now).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from meanface_airflow.page.models import PlannedPartition, Progress

WINDOW = 60.0
"""Length of the sliding window for rates, in seconds."""
MIN_RATE_SECONDS = 10.0
MIN_RATE_PHOTOS = 10
"""The time left is estimated only after so many seconds and photos."""
SILENT_AFTER = 60.0
"""Seconds without a report after which a partition is silent; it reports once a second while it
works."""

FAILED_TASKS = frozenset({"failed", "upstream_failed", "skipped", "removed"})
WORKING_TASKS = frozenset({"running", "deferred", "restarting"})
RETRIED_TASKS = frozenset({"up_for_retry", "up_for_reschedule"})

STATES = ("committed", "embedding", "starting", "silent", "retrying", "failed", "waiting")
ACTIVE = frozenset({"embedding", "silent"})


@dataclass(frozen=True)
class Task:
    """A partition's task instance in Airflow."""

    state: str | None
    attempt: int


@dataclass(frozen=True)
class Partition:
    """A partition on the page."""

    index: int
    state: str
    photos: int
    done: int
    outcomes: Mapping[str, int]
    rate: float | None
    """photos per second of the last attempt, from its start to its last report"""
    recent: float | None
    """photos per second of the last attempt, over the `WINDOW` before its last report"""
    attempt: int
    host: str
    started_at: float | None
    updated_at: float | None
    named: int
    """number of failed photos that its failures record covers"""
    message: str | None
    rate_known: bool = False
    """whether its rate is reliable: it is done, or it has estimated its time left itself"""


def partition(
    planned: PlannedPartition, progress: Progress | None, task: Task | None, committed: bool, now: float
) -> Partition:
    """Combine the three sources for one partition."""
    state = "committed" if committed else _state(progress, task, now)
    attempt = max(progress.attempt if progress else 0, task.attempt if task else 0)
    if progress is None:
        done = planned.photos if committed else 0
        return Partition(planned.index, state, planned.photos, done, {}, None, None, attempt, "", None, None, 0, None)
    recent = progress.recent_photos_per_second
    return Partition(
        index=planned.index,
        state=state,
        photos=planned.photos,
        done=planned.photos if committed else min(progress.photos_done, planned.photos),
        outcomes=progress.outcomes,
        rate=progress.photos_per_second,
        recent=progress.photos_per_second if recent is None else recent,
        attempt=attempt,
        host=progress.host,
        started_at=progress.started_at,
        updated_at=progress.updated_at,
        named=progress.failures_named,
        message=progress.message,
        rate_known=committed or progress.eta_seconds is not None,
    )


def _state(progress: Progress | None, task: Task | None, now: float) -> str:
    if task is None:  # Airflow has removed it, or has not created it yet
        return _reported_state(progress, now) if progress else "waiting"
    if task.state in FAILED_TASKS:
        return "failed"
    if task.state in RETRIED_TASKS:
        return "retrying"
    if task.state in WORKING_TASKS:
        return _reported_state(progress, now) if progress and progress.attempt >= task.attempt else "starting"
    if task.state == "success":  # the commit is not visible yet, or it has expired
        return _reported_state(progress, now) if progress else "committed"
    return "retrying" if progress else "waiting"


def _reported_state(progress: Progress, now: float) -> str:
    """The state that the partition itself reports."""
    if progress.state != "embedding":
        return progress.state
    return "silent" if now - progress.updated_at > SILENT_AFTER else "embedding"


@dataclass(frozen=True)
class Totals:
    """Totals over a run's partitions."""

    photos: int
    done: int
    outcomes: dict[str, int]
    states: dict[str, int]
    rate: float
    """photos per second of all partitions together, over the last `WINDOW`"""
    eta: float | None
    """seconds left at that rate; None if the rate is not known yet or 0, or if nothing is left"""
    started_at: float | None
    updated_at: float | None


def totals(partitions: Sequence[Partition], now: float) -> Totals:
    """Compute totals over a run's partitions."""
    photos, done = sum(one.photos for one in partitions), sum(one.done for one in partitions)
    outcomes: Counter[str] = Counter()
    for one in partitions:
        outcomes.update(one.outcomes)
    states = Counter(one.state for one in partitions)
    recent, seconds = _recently_done(partitions, now)
    current = recent / seconds if seconds > 0 else 0.0
    known = recent >= MIN_RATE_PHOTOS and seconds >= MIN_RATE_SECONDS and any(one.rate_known for one in partitions)
    return Totals(
        photos=photos,
        done=done,
        outcomes=dict(outcomes),
        states={state: states[state] for state in STATES},
        rate=round(current, 2),
        eta=round((photos - done) / current, 1) if known and done < photos else None,
        started_at=min((one.started_at for one in partitions if one.started_at is not None), default=None),
        updated_at=max((one.updated_at for one in partitions if one.updated_at is not None), default=None),
    )


def recent_rate(partitions: Iterable[Partition], now: float) -> float:
    """Photos per second of all partitions together over the last `WINDOW`.

    A record has its partition's mean rate over the minute before its last report, which is assumed
    to be constant. Idle time counts as well: starting pods is part of how long a run takes.

    >>> half_a_minute = Partition(0, "embedding", 900, 300, {}, 10.0, 10.0, 1, "", 970.0, 1000.0, 0, None)
    >>> recent_rate([half_a_minute], now=1000.0), recent_rate([half_a_minute], now=1030.0)
    (10.0, 5.0)
    """
    recent, seconds = _recently_done(partitions, now)
    return recent / seconds if seconds > 0 else 0.0


def _recently_done(partitions: Iterable[Partition], now: float) -> tuple[float, float]:
    """Photos done in the last `WINDOW` or since the start, and the length of that time."""
    known = [
        (one.started_at, one.updated_at, one.recent)
        for one in partitions
        if one.started_at is not None and one.updated_at is not None and one.recent is not None
    ]
    since = max(now - WINDOW, min((started for started, _, _ in known), default=now))
    spans = ((max(started, updated - WINDOW, since), min(updated, now), rate) for started, updated, rate in known)
    return sum(rate * max(0.0, until - begun) for begun, until, rate in spans), max(0.0, now - since)


def as_json(partition: Partition) -> dict[str, Any]:
    """A partition as JSON for the browser."""
    return asdict(partition)
