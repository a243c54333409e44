"""The metrics: names, labels, help. No label has unbounded values: no run, host, photo or address."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis import Redis, RedisError, WatchError
from redis.exceptions import NoPermissionError

from meanface.errors import DamagedRecord
from meanface.metrics.reader import PARTITION_STATES, Reader, Snapshot
from meanface.metrics.totals import Checkpoint, advance
from meanface.outcome import Outcome
from meanface.pipeline.attempts import STAGES
from meanface.state.keys import METRICS
from meanface.tally import WAITS

MOST_KINDS = 64
"""kinds of passed-over files with a value of their own"""

log = structlog.get_logger(__name__)


class CounterOf(NamedTuple):
    """A counter, and the names that its label values have in the totals."""

    name: str
    help: str
    label: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ((),)
    """known from the start, so that the first increase is seen"""


_COMMITS = ("stored", "duplicate", "conflict")
_ENDS = ("done", "duplicate", "conflict", "failed")


def _one(values: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((value,) for value in values)


COUNTERS = (
    CounterOf("photos", "Photos of committed partitions, by outcome.", ("outcome",), _one(Outcome)),
    CounterOf("photos_reused", "Those of them whose results were copied from earlier runs or plans."),
    CounterOf("faces", "Faces of committed partitions that count."),
    CounterOf("passed_over", "Files of planned datasets that are not read as photos.", ("kind",), ()),
    CounterOf("commits", "Commits by Redis' answer; a conflict is refused.", ("answer",), _one(_COMMITS)),
    CounterOf(
        "attempts", "Attempts at stages that ended by themselves.", ("stage", "end"), tuple(product(STAGES, _ENDS))
    ),
    CounterOf("retries", "Attempts beyond the first of their stage or partition.", ("stage",), _one(STAGES)),
    CounterOf("worker_deaths", "Worker processes that died or hung over a photo."),
    CounterOf("stage_seconds", "Duration of all attempts together.", ("stage",), _one(STAGES)),
    CounterOf("bytes_read", "Bytes of photos that were read to embed them."),
    CounterOf("wait_seconds", "Time for which the threads of stages waited.", ("wait",), _one(WAITS)),
)
NAMES = {"passed_over": "passed_over_files", "bytes_read": "read_bytes"}
"""names that differ from those in the totals"""


class RunsCollector(Collector):
    """Reads Redis at each scrape. Without Redis the counters keep their last values."""

    def __init__(self, redis: Redis) -> None:
        self._redis, self._reader = redis, Reader(redis)
        self._checkpoint: Checkpoint | None = None
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not read Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        with self._lock:
            snapshot, memory = self._read()
            checkpoint = self._checkpoint
        up = GaugeMetricFamily("meanface_redis_up", "Whether the exporter can read Redis.")
        up.add_metric([], float(snapshot is not None))
        yield up
        if checkpoint is not None:
            yield from _counters(checkpoint)
        if snapshot is not None:
            yield from _gauges(snapshot, memory)

    def _read(self) -> tuple[Snapshot | None, dict[str, int]]:
        try:
            now = time.time()
            snapshot = self._reader.read(now)
            self._checkpoint = self._advanced(snapshot, now)
            return snapshot, self._memory()
        except (RedisError, DamagedRecord) as error:
            log.warning("metrics cannot be read", reason=str(error))
            return None, {}

    def _advanced(self, snapshot: Snapshot, now: float) -> Checkpoint:
        """Advance the checkpoint in Redis, in one step even if two exporters run."""
        while True:
            with self._redis.pipeline() as pipeline:
                pipeline.watch(METRICS)
                stored = pipeline.get(METRICS)
                before = Checkpoint.parsed(stored, f"the record {METRICS}") if stored else Checkpoint()
                after = advance(before, snapshot.observed, snapshot.present, now)
                if after == before:
                    return after
                pipeline.multi()
                pipeline.set(METRICS, after.model_dump_json(by_alias=True))
                try:
                    pipeline.execute()
                except WatchError:
                    continue
                return after

    def _memory(self) -> dict[str, int]:
        try:
            info = self._redis.info("memory")
        except NoPermissionError:  # some managed servers do not allow it
            return {}
        found = {"used": int(info["used_memory"]), "limit": int(info.get("maxmemory", 0))}
        return {name: value for name, value in found.items() if value}


def _counters(checkpoint: Checkpoint) -> Iterator[Metric]:
    for counter in COUNTERS:
        family = CounterMetricFamily(
            f"meanface_{NAMES.get(counter.name, counter.name)}", counter.help, labels=counter.label
        )
        prefix = f"{counter.name}/"
        found = {
            tuple(name.removeprefix(prefix).split("/", len(counter.label) - 1))
            for name in checkpoint.totals
            if counter.label and name.startswith(prefix)
        }
        kinds = sorted(found - set(counter.values))[:MOST_KINDS]
        for values in (*counter.values, *kinds):
            family.add_metric(values, checkpoint.totals.get("/".join((counter.name, *values)), 0))
        yield family
    series = GaugeMetricFamily(
        "meanface_series_last_success_timestamp_seconds", "When a run of the series last succeeded.", labels=["series"]
    )
    for name, at in sorted(checkpoint.series.items()):
        series.add_metric([name], at)
    yield series


def _gauges(snapshot: Snapshot, memory: dict[str, int]) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "meanface_partitions", "Partitions without a commit of runs that work, by state.", labels=["state"]
    )
    for state in PARTITION_STATES:
        states.add_metric([state], snapshot.partitions[state])
    yield states
    plain = {
        "photos_per_second": ("Photos that are embedded a second, over the last minute.", snapshot.photos_per_second),
        "unreadable_runs": ("Runs whose records are damaged or of another version.", snapshot.unreadable),
        "redis_memory_used_bytes": ("Memory that Redis uses.", memory.get("used", math.nan)),
        "redis_memory_limit_bytes": ("Redis' maxmemory.", memory.get("limit", math.nan)),
    }
    for name, (text, value) in plain.items():
        if not math.isnan(value):
            yield GaugeMetricFamily(f"meanface_{name}", text, value=value)
