"""The page's JSON responses; the number of Redis commands does not depend on the run's size."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from meanface_airflow.page.models import Failures, Plan, Progress, Result, key, parse, partition_indices
from meanface_airflow.page.partitions import Partition, as_json, partition, totals
from meanface_airflow.page.runs import Failure, Run, Tasks
from meanface_airflow.page.source import Command, RedisUnavailable, Source

MAX_PARTITIONS = 20
"""Partitions whose failures are read at a time, which have at most 1,000 failed photos."""
MAX_RUNS = 25
_ENDED_CACHE_SECONDS = 60.0
_ACTIVE_CACHE_SECONDS = 1.0
_CACHE_SIZE = 4 * MAX_RUNS

NO_TASKS = Tasks({}, {})


def _progress(replies: Mapping[bytes, bytes]) -> dict[int, Progress]:
    records = (parse(Progress, text) for text in replies.values())
    return {record.partition: record for record in records if record}


def _run_commands(run: str) -> tuple[Command, ...]:
    return (("GET", key(run, "manifest")), ("HGETALL", key(run, "progress")), ("HKEYS", key(run, "digests")))


def _partitions(plan: Plan, replies: Sequence[Any], tasks: Tasks, now: float) -> list[Partition]:
    progress = _progress(replies[1])
    committed = partition_indices(replies[2])
    return [
        partition(one, progress.get(one.index), tasks.partitions.get(one.index), one.index in committed, now)
        for one in plan.partitions
    ]


class Overview:
    """The latest runs.

    However many readers there are, Redis is read at most once a minute for a run that has ended,
    and once a second for any other.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._cache: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    def __call__(self, runs: Sequence[Run]) -> dict[str, Any]:
        """The runs with their progress, or why Redis is unavailable; one round trip."""
        now, clock = time.time(), time.monotonic()
        cached = {run.run: self._cache.get((run.name, run.state), (0.0, {})) for run in runs}
        expired = [run for run in runs if cached[run.run][0] < clock]
        away, fresh = None, {}
        try:
            fresh = self._read(expired, now)
        except RedisUnavailable as unavailable:
            away = str(unavailable)
        else:
            self._keep(expired, fresh, clock)
        details = {run.run: fresh.get(run.run, cached[run.run][1]) for run in runs}
        return {"now": now, "away": away, "runs": [asdict(run) | details[run.run] for run in runs]}

    def _keep(self, runs: Sequence[Run], fresh: Mapping[str, dict[str, Any]], clock: float) -> None:
        if len(self._cache) > _CACHE_SIZE:
            self._cache.clear()
        for run in runs:
            seconds = _ENDED_CACHE_SECONDS if run.ended else _ACTIVE_CACHE_SECONDS
            self._cache[run.name, run.state] = (clock + seconds, fresh[run.run])

    def _read(self, runs: Sequence[Run], now: float) -> dict[str, dict[str, Any]]:
        if not runs:
            return {}
        commands: list[Command] = []
        for run in runs:
            commands += [("GET", key(run.name, "result"))] if run.state == "success" else _run_commands(run.name)
        replies = iter(self._source.execute(*commands))
        return {
            run.run: _finished(next(replies))
            if run.state == "success"
            else _unfinished(run, [next(replies) for _ in range(3)], now)
            for run in runs
        }


def _finished(reply: bytes | None) -> dict[str, Any]:
    result = parse(Result, reply)
    if result is None:
        return {"known": _missing_or_unreadable(reply)}
    return {
        "known": "result",
        "dataset": result.dataset,
        "photos": result.photos,
        "done": result.photos,
        "faces": result.faces,
        "outcomes": result.outcomes,
    }


def _missing_or_unreadable(reply: bytes | None) -> str | None:
    return None if reply is None else "unreadable"


def _unfinished(run: Run, replies: Sequence[Any], now: float) -> dict[str, Any]:
    plan = parse(Plan, replies[0])
    if plan is None:
        return {"known": _missing_or_unreadable(replies[0])}
    sums = totals(_partitions(plan, replies, NO_TASKS, now), now)
    progress = {"known": "progress", "dataset": plan.source.url, "photos": plan.photos, "done": sums.done}
    speed = {"rate": sums.rate, "eta": sums.eta} if not run.ended else {}
    return progress | speed | {"outcomes": sums.outcomes}


def one_run(source: Source, run: Run, tasks: Tasks, failures: Sequence[Failure]) -> dict[str, Any]:
    """A run and its partitions; one round trip."""
    now = time.time()
    body: dict[str, Any] = {"now": now, "away": None, "run": asdict(run), "stages": tasks.stages, "plan": None}
    body |= failed(failures)
    try:
        *replies, failing = source.execute(*_run_commands(run.name), ("HKEYS", key(run.name, "failures")))
    except RedisUnavailable as unavailable:
        return body | {"away": str(unavailable)}
    plan = parse(Plan, replies[0])
    if plan is None:
        return body | {"missing": _missing(run, tasks, replies[0])}
    partitions = _partitions(plan, replies, tasks, now)
    return body | {
        "plan": {"dataset": plan.source.url, "photos": plan.photos, "fingerprint": plan.fingerprint},
        "totals": asdict(totals(partitions, now)),
        "partitions": [as_json(one) for one in partitions],
        "failing": sorted(partition_indices(failing)),
    }


def failed(failures: Sequence[Failure]) -> dict[str, Any]:
    """Why a run's tasks failed, as JSON."""
    return {"failed": [asdict(one) for one in failures]}


def _missing(run: Run, tasks: Tasks, plan: bytes | None) -> str | None:
    """Why there is no readable plan; None if the run has only just begun."""
    if plan is not None:
        return "unreadable"
    if tasks.stages.get("plan") == "success":
        return "expired"
    return "unplanned" if run.ended and "plan" in tasks.stages else None


def failures(source: Source, run: str, partitions: Sequence[int]) -> dict[str, Any]:
    """Failed photos of some partitions as [partition, photo, outcome, detail]; one round trip."""
    (texts,) = source.execute(("HMGET", key(run, "failures"), *partitions))
    found = [(index, parse(Failures, text)) for index, text in zip(partitions, texts, strict=True)]
    return {
        "failures": [[index, *failure] for index, record in found if record for failure in record.failures],
        "more": {index: record.more for index, record in found if record and record.more},
    }


def result(source: Source, run: str) -> Result | None:
    """A run's result; None if it is missing or of another version; one round trip."""
    (text,) = source.execute(("GET", key(run, "result")))
    return parse(Result, text)
