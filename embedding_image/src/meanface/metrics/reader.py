"""What the runs in Redis add up to. Commits are read once; only runs that change are read again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis import Redis

from meanface.errors import DamagedRecord
from meanface.metrics.records import AttemptSeen, Plan, Progress, commit_sums, parse
from meanface.metrics.totals import Observed, Sums
from meanface.state.keys import DIGEST, RUNS, run_key, run_of

RECENT_SECONDS = 6 * 60 * 60.0
"""A run without a result, and without news for so long, counts as abandoned."""
SILENT_SECONDS = 60.0
"""A partition reports once a second while photos are finished."""
PARTITION_STATES = ("waiting", "embedding", "silent", "failed")
_SLICE = 16  # commits per request, each of up to 100 kB

log = structlog.get_logger(__name__)


@dataclass
class _Run:
    """What is known of a run; `observed` is None while its records cannot be read."""

    signature: tuple[Any, ...] = ()
    plan: str = ""
    commits: dict[int, dict[str, int]] = field(default_factory=dict)
    observed: Observed | None = None
    states: dict[int, str] = field(default_factory=dict)
    rates: dict[int, float] = field(default_factory=dict)
    updated_at: float = 0.0
    running: bool = False
    ended: bool = False

    def current(self, now: float) -> bool:
        """Whether its records may change without a change of the signature."""
        return (self.running or not self.ended) and now - self.updated_at < RECENT_SECONDS


@dataclass(frozen=True)
class Snapshot:
    """All runs at one moment."""

    present: frozenset[str]
    observed: dict[str, Observed]
    unreadable: int
    """runs whose records are damaged or of another version"""
    partitions: Counter[str]
    """partitions of current runs, by `PARTITION_STATES`"""
    photos_per_second: float


class Reader:
    """Reads all runs; its errors are redis-py's own. A client with `decode_responses` does not work."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._runs: dict[str, _Run] = {}

    def read(self, now: float) -> Snapshot:
        """Read what has changed; `now` is in seconds since 1970."""
        names = sorted({run_of(key.decode()) for key in self._redis.scan_iter(RUNS, count=1000)})
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.get(run_key(name, DIGEST))
                pipeline.hlen(run_key(name, "digests"))
                pipeline.hlen(run_key(name, "attempts"))
                pipeline.exists(run_key(name, "result"))
            replies = pipeline.execute()
        signatures = {name: tuple(replies[4 * place : 4 * place + 4]) for place, name in enumerate(names)}
        self._runs = {name: self._runs.get(name, _Run()) for name in names if signatures[name][0]}
        for name, run in self._runs.items():
            if run.signature != signatures[name] or run.current(now):
                self._update(name, run, signatures[name], now)
        return self._snapshot(now)

    def _update(self, name: str, run: _Run, signature: tuple[Any, ...], now: float) -> None:
        """Read a run; it keeps its former values if it is planned again meanwhile."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.get(run_key(name, DIGEST))
            pipeline.get(run_key(name, "manifest"))
            pipeline.hkeys(run_key(name, "digests"))
            pipeline.hgetall(run_key(name, "progress"))
            pipeline.hgetall(run_key(name, "attempts"))
            digest, manifest, committed, progress, attempts = pipeline.execute()
        if digest is None:
            return
        if run.plan != digest.decode():
            run.plan, run.commits, run.observed = digest.decode(), {}, None
        plan = parse(Plan, manifest)
        try:
            known = plan is not None and self._read_commits(name, run, digest, map(int, committed))
        except (DamagedRecord, ValueError) as error:
            log.warning("records of a run cannot be read", reason=str(error))
            known = False
        if plan is None or not known:
            return
        seen = [one for one in (parse(AttemptSeen, text) for text in attempts.values()) if one]
        reports = {int(index): one for index, text in progress.items() if (one := parse(Progress, text))}
        latest = [one.updated_at for one in seen] + [one.updated_at for one in reports.values()]
        run.signature, run.ended = signature, bool(signature[3])
        run.running = any(one.state == "running" for one in seen)
        run.updated_at = max(latest, default=now if not run.updated_at else run.updated_at)
        waiting = {one.index for one in plan.partitions} - run.commits.keys()
        run.states = {index: _state(reports.get(index), now) for index in waiting}
        run.rates = {index: reports[index].recent_photos_per_second for index in waiting & reports.keys()}
        succeeded = [one for one in seen if one.stage == "reduce" and one.state == "done" and one.series]
        run.observed = Observed(
            run.plan,
            _sums(run, plan, seen),
            succeeded[0].series if succeeded else None,
            max((one.updated_at for one in succeeded), default=0.0),
        )

    def _read_commits(self, name: str, run: _Run, digest: bytes, committed: Iterable[int]) -> bool:
        """Read new commits; False if the run is planned again meanwhile."""
        new = sorted(set(committed) - run.commits.keys())
        for start in range(0, len(new), _SLICE):
            some = new[start : start + _SLICE]
            with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.get(run_key(name, DIGEST))
                pipeline.hmget(run_key(name, "commits"), [str(one) for one in some])
                planned, records = pipeline.execute()
            if planned != digest or None in records:
                return False
            run.commits |= {one: commit_sums(record) for one, record in zip(some, records, strict=True)}
        return True

    def _snapshot(self, now: float) -> Snapshot:
        current = [run for run in self._runs.values() if not run.ended and run.current(now)]
        states = Counter(state for run in current for state in run.states.values())
        rates = [run.rates[index] for run in current for index in run.rates if run.states[index] == "embedding"]
        return Snapshot(
            present=frozenset(self._runs),
            observed={name: run.observed for name, run in self._runs.items() if run.observed is not None},
            unreadable=sum(run.observed is None for run in self._runs.values()),
            partitions=states,
            photos_per_second=sum(rates),
        )


def _state(progress: Progress | None, now: float) -> str:
    """The state of a partition without a commit."""
    if progress is None:
        return "waiting"
    if progress.state == "failed":
        return "failed"
    return "silent" if now - progress.updated_at > SILENT_SECONDS else "embedding"


def _sums(run: _Run, plan: Plan, attempts: list[AttemptSeen]) -> Sums:
    """A run's sums, by metric and label."""
    sums = Counter[str]()
    for commit in run.commits.values():
        sums.update(commit)
    for kind in plan.source.passed_over:
        sums[f"passed_over/{kind.kind}"] += kind.files
    sums["commits/stored"] = len(run.commits)
    tries = Counter((one.stage, one.partition) for one in attempts)
    for (stage, _), count in tries.items():
        sums[f"retries/{stage}"] += count - 1
    seconds = defaultdict[str, float](float)
    for one in attempts:
        seconds[f"stage_seconds/{one.stage}"] += one.seconds
        for wait, waited in one.wait_seconds.items():
            seconds[f"wait_seconds/{wait}"] += waited
        sums["bytes_read"] += one.bytes_read
        sums["worker_deaths"] += one.worker_deaths
        if one.state != "running":
            sums[f"attempts/{one.stage}/{one.state}"] += 1
        if one.state in ("duplicate", "conflict"):
            sums[f"commits/{one.state}"] += 1
    return {**sums, **seconds}
