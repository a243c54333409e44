"""What state each partition of a run is in, and what all of them add up to; pure.

Three sources speak of a partition: its record of progress (what it did, when it last said so), the list of committed
partitions (the only truth about what is done), and its task in Airflow (what is going on with it now).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from meanface_airflow.page.checked import Progress, Slice

WINDOW = 60.0
"""Seconds over which the rate is taken."""
SETTLED_SECONDS = 10.0
SETTLED_PHOTOS = 10
"""What a run's rate is taken over at least before it says how long the rest takes."""
SILENCE = 60.0
"""Seconds without news after which a partition is called silent; it speaks once a second while photos end."""

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
    """A partition, as the page shows it."""

    index: int
    state: str
    photos: int
    done: int
    outcomes: Mapping[str, int]
    rate: float | None
    """photos per second of the last attempt, from its start to its last news"""
    recent: float | None
    """photos per second of the last attempt, over the last `WINDOW` before its last news"""
    attempt: int
    host: str
    started_at: float | None
    updated_at: float | None
    named: int
    """failed photos that its record of failures speaks of"""
    message: str | None
    settled: bool = False
    """whether its rate can be relied on: it is done, or it says itself how long it takes"""


def partition(slice_: Slice, progress: Progress | None, task: Task | None, committed: bool, now: float) -> Partition:
    """One partition from what is known of it."""
    state = "committed" if committed else _state(progress, task, now)
    attempt = max(progress.attempt if progress else 0, task.attempt if task else 0)
    if progress is None:
        done = slice_.photos if committed else 0
        return Partition(slice_.index, state, slice_.photos, done, {}, None, None, attempt, "", None, None, 0, None)
    recent = progress.recent_photos_per_second
    return Partition(
        index=slice_.index,
        state=state,
        photos=slice_.photos,
        done=slice_.photos if committed else min(progress.photos_done, slice_.photos),
        outcomes=progress.outcomes,
        rate=progress.photos_per_second,
        recent=progress.photos_per_second if recent is None else recent,
        attempt=attempt,
        host=progress.host,
        started_at=progress.started_at,
        updated_at=progress.updated_at,
        named=progress.failures_named,
        message=progress.message,
        settled=committed or progress.eta_seconds is not None,
    )


def _state(progress: Progress | None, task: Task | None, now: float) -> str:
    if task is None:  # Airflow has forgotten it, or has not made it yet
        return _told(progress, now) if progress else "waiting"
    if task.state in FAILED_TASKS:
        return "failed"
    if task.state in RETRIED_TASKS:
        return "retrying"
    if task.state in WORKING_TASKS:
        return _told(progress, now) if progress and progress.attempt >= task.attempt else "starting"
    if task.state == "success":  # the commit is not to be seen yet, or no longer
        return _told(progress, now) if progress else "committed"
    return "retrying" if progress else "waiting"


def _told(progress: Progress, now: float) -> str:
    """State by the partition's own words."""
    if progress.state != "embedding":
        return progress.state
    return "silent" if now - progress.updated_at > SILENCE else "embedding"


@dataclass(frozen=True)
class Totals:
    """What a run's partitions add up to."""

    photos: int
    done: int
    outcomes: dict[str, int]
    states: dict[str, int]
    rate: float
    """photos per second, all partitions together, over the last `WINDOW`"""
    eta: float | None
    """seconds to go at that rate; None where the rate is not known yet, nothing moves, or nothing is left"""
    started_at: float | None
    updated_at: float | None


def totals(partitions: Sequence[Partition], now: float) -> Totals:
    """Sums over a run's partitions."""
    photos, done = sum(one.photos for one in partitions), sum(one.done for one in partitions)
    outcomes: Counter[str] = Counter()
    for one in partitions:
        outcomes.update(one.outcomes)
    states = Counter(one.state for one in partitions)
    moved, seconds = _moved(partitions, now)
    current = moved / seconds if seconds > 0 else 0.0
    known = moved >= SETTLED_PHOTOS and seconds >= SETTLED_SECONDS and any(one.settled for one in partitions)
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

    Records give each partition's rate over its last minute, up to its last news, so that is taken as if it had been
    even. Time in which nothing ran counts as well: starts of pods are part of how long a run takes.

    >>> half_a_minute = Partition(0, "embedding", 900, 300, {}, 10.0, 10.0, 1, "", 970.0, 1000.0, 0, None)
    >>> recent_rate([half_a_minute], now=1000.0), recent_rate([half_a_minute], now=1030.0)
    (10.0, 5.0)
    """
    moved, seconds = _moved(partitions, now)
    return moved / seconds if seconds > 0 else 0.0


def _moved(partitions: Iterable[Partition], now: float) -> tuple[float, float]:
    """Photos that ended in the last `WINDOW`, or since the first partition began, and how many seconds that is."""
    known = [
        (one.started_at, one.updated_at, one.recent)
        for one in partitions
        if one.started_at is not None and one.updated_at is not None and one.recent is not None
    ]
    since = max(now - WINDOW, min((started for started, _, _ in known), default=now))
    spans = ((max(started, updated - WINDOW, since), min(updated, now), rate) for started, updated, rate in known)
    return sum(rate * max(0.0, until - begun) for begun, until, rate in spans), max(0.0, now - since)


def as_json(partition: Partition) -> dict[str, Any]:
    """A partition for the browser."""
    return asdict(partition)
