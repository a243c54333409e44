"""The page's answers, each from a fixed number of questions to Redis, whatever the run's size."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from meanface_airflow.page.checked import Failures, Plan, Progress, Result, checked, indices, key
from meanface_airflow.page.partitions import Partition, as_json, partition, totals
from meanface_airflow.page.runs import Failure, Run, Tasks
from meanface_airflow.page.source import Away, Command, Source

SLICE = 20
"""Partitions whose failures are read at a time: at most 1,000 photos' names."""
RUNS = 25
_ENDED_STAYS = 60.0
_ACTIVE_STAYS = 1.0
_REMEMBERED = 4 * RUNS

NO_TASKS = Tasks({}, {})


def _progress(replies: Mapping[bytes, bytes]) -> dict[int, Progress]:
    records = (checked(Progress, text) for text in replies.values())
    return {record.partition: record for record in records if record}


def _questions(run: str) -> tuple[Command, ...]:
    return (("GET", key(run, "manifest")), ("HGETALL", key(run, "progress")), ("HKEYS", key(run, "digests")))


def _partitions(plan: Plan, replies: Sequence[Any], tasks: Tasks, now: float) -> list[Partition]:
    progress = _progress(replies[1])
    committed = indices(replies[2])
    return [
        partition(one, progress.get(one.index), tasks.partitions.get(one.index), one.index in committed, now)
        for one in plan.partitions
    ]


class Overview:
    """All runs at a glance.

    A run that has ended is read once a minute at most, any other once a second, however many readers there are.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._remembered: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    def __call__(self, runs: Sequence[Run]) -> dict[str, Any]:
        """The runs, and what Redis says of them or why it says nothing; one round trip."""
        now, clock = time.time(), time.monotonic()
        known = {run.run: self._remembered.get((run.run, run.state), (0.0, {})) for run in runs}
        asked = [run for run in runs if known[run.run][0] < clock]
        try:
            fresh = self._read(asked, now)
        except Away as away:
            told = {run.run: known[run.run][1] for run in runs}
            return {"now": now, "away": str(away), "runs": [asdict(run) | told[run.run] for run in runs]}
        if len(self._remembered) > _REMEMBERED:
            self._remembered.clear()
        for run in asked:
            stays = _ENDED_STAYS if run.ended else _ACTIVE_STAYS
            self._remembered[run.run, run.state] = (clock + stays, fresh[run.run])
        told = {run.run: fresh.get(run.run, known[run.run][1]) for run in runs}
        return {"now": now, "away": None, "runs": [asdict(run) | told[run.run] for run in runs]}

    def _read(self, runs: Sequence[Run], now: float) -> dict[str, dict[str, Any]]:
        if not runs:
            return {}
        commands: list[Command] = []
        for run in runs:
            commands += [("GET", key(run.run, "result"))] if run.state == "success" else _questions(run.run)
        replies = iter(self._source.ask(*commands))
        return {
            run.run: _finished(next(replies))
            if run.state == "success"
            else _unfinished(run, [next(replies) for _ in range(3)], now)
            for run in runs
        }


def _finished(reply: bytes | None) -> dict[str, Any]:
    result = checked(Result, reply)
    if result is None:
        return {"known": _unread(reply)}
    return {
        "known": "result",
        "dataset": result.dataset,
        "photos": result.photos,
        "done": result.photos,
        "faces": result.faces,
        "outcomes": result.outcomes,
    }


def _unread(reply: bytes | None) -> str | None:
    return None if reply is None else "unreadable"


def _unfinished(run: Run, replies: Sequence[Any], now: float) -> dict[str, Any]:
    plan = checked(Plan, replies[0])
    if plan is None:
        return {"known": _unread(replies[0])}
    sums = totals(_partitions(plan, replies, NO_TASKS, now), now)
    told = {"known": "progress", "dataset": plan.source.url, "photos": plan.photos, "done": sums.done}
    moving = {"rate": sums.rate, "eta": sums.eta} if not run.ended else {}
    return told | moving | {"outcomes": sums.outcomes}


def one_run(source: Source, run: Run, tasks: Tasks, failures: Sequence[Failure]) -> dict[str, Any]:
    """A run and its partitions; one round trip."""
    now = time.time()
    told: dict[str, Any] = {"now": now, "away": None, "run": asdict(run), "stages": tasks.stages, "plan": None}
    told |= failed(failures)
    try:
        *replies, failing = source.ask(*_questions(run.run), ("HKEYS", key(run.run, "failures")))
    except Away as away:
        return told | {"away": str(away)}
    plan = checked(Plan, replies[0])
    if plan is None:
        return told | {"missing": _missing(run, tasks, replies[0])}
    partitions = _partitions(plan, replies, tasks, now)
    return told | {
        "plan": {"dataset": plan.source.url, "photos": plan.photos, "fingerprint": plan.fingerprint},
        "totals": asdict(totals(partitions, now)),
        "partitions": [as_json(one) for one in partitions],
        "failing": sorted(indices(failing)),
    }


def failed(failures: Sequence[Failure]) -> dict[str, Any]:
    """Why a run's tasks failed, for the browser."""
    return {"failed": [asdict(one) for one in failures]}


def _missing(run: Run, tasks: Tasks, plan: bytes | None) -> str | None:
    """Why there is nothing to tell of a run's photos, other than that it has just begun."""
    if plan is not None:
        return "unreadable"
    if tasks.stages.get("plan") == "success":
        return "expired"
    return "unplanned" if run.ended and "plan" in tasks.stages else None


def failures(source: Source, run: str, partitions: Sequence[int]) -> dict[str, Any]:
    """Names of the photos that failed in some partitions, as [partition, photo, outcome, detail]; one round trip."""
    (texts,) = source.ask(("HMGET", key(run, "failures"), *partitions))
    found = [(index, checked(Failures, text)) for index, text in zip(partitions, texts, strict=True)]
    return {
        "failures": [[index, *failure] for index, record in found if record for failure in record.failures],
        "more": {index: record.more for index, record in found if record and record.more},
    }


def result(source: Source, run: str) -> Result | None:
    """A run's result; None where there is none, or none of this version's; one round trip."""
    (text,) = source.ask(("GET", key(run, "result")))
    return checked(Result, text)
