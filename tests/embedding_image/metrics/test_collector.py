"""Metrics are what the records in Redis say, and never more, for any exporter at any moment."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client.core import Metric
from redis import Redis
from redis.exceptions import NoPermissionError

from meanface.ledger.commit import Commit, CommitHeader
from meanface.metrics.collector import RunsCollector
from meanface.outcome import Outcome
from meanface.pipeline.attempts import recorded
from meanface.state.keys import METRICS
from meanface.state.redis import RedisState
from meanface.stats.moments import Moments

LABELS = {"outcome", "kind", "answer", "stage", "end", "wait", "state", "series"}
PLAN = {"schema": 1, "partitions": [{"index": 0}, {"index": 1}, {"index": 2}], "source": {"passed_over": []}}


def commit(partition: int, **outcomes: int) -> bytes:
    """A commit with two faces."""
    head = CommitHeader(
        fingerprint="f",
        partition=partition,
        photos_digest="d",
        outcomes={Outcome(name): count for name, count in outcomes.items()},
        chips=None,
    )
    return Commit(head, Moments.of(np.full((2, 128), 0.5, np.float32))).to_bytes()


def progress(state: str, updated_at: float, rate: float = 0.0) -> str:
    return json.dumps({"schema": 1, "state": state, "updated_at": updated_at, "recent_photos_per_second": rate})


@pytest.fixture
def state(new_state: Callable[[str], RedisState], name: str) -> RedisState:
    state = new_state(name)
    state.put_manifest(json.dumps(PLAN), "plan")
    return state


def test_all_counters_begin_at_zero(scrape: Any) -> None:
    found = scrape()
    assert found["meanface_redis_up"] == 1
    for outcome in Outcome:
        assert found[f'meanface_photos_total{{outcome="{outcome}"}}'] == 0
    assert found['meanface_commits_total{answer="conflict"}'] == 0
    assert found["meanface_redis_memory_limit_bytes"] == 2**30
    assert 0 < found["meanface_redis_memory_used_bytes"] < 2**30


def test_photos_count_when_they_are_committed_and_once_for_any_exporter(
    scrape: Any, state: RedisState, exporter_url: str
) -> None:
    kept = RunsCollector(Redis.from_url(exporter_url, protocol=2))
    state.commit(0, commit(0, ok=2, crashed=1), "d", "plan")
    for _ in range(2):
        assert scrape(kept)['meanface_photos_total{outcome="ok"}'] == 2
        assert scrape()['meanface_photos_total{outcome="crashed"}'] == 1
    state.commit(1, commit(1, ok=1), "e", "plan")
    found = scrape()
    assert scrape(kept) | {"meanface_redis_memory_used_bytes": 0} == found | {"meanface_redis_memory_used_bytes": 0}
    assert (found['meanface_photos_total{outcome="ok"}'], found["meanface_faces_total"]) == (3, 4)
    assert found['meanface_commits_total{answer="stored"}'] == 2


def test_totals_outlast_the_records_of_runs(scrape: Any, state: RedisState, redis_server: Any) -> None:
    state.commit(0, commit(0, ok=2), "d", "plan")
    scrape()
    redis_server.admin.delete(*redis_server.admin.scan_iter("meanface:*"))
    found = scrape()
    assert found['meanface_photos_total{outcome="ok"}'] == 2
    assert found['meanface_partitions{state="waiting"}'] == 0
    assert json.loads(redis_server.admin.get(METRICS))["runs"] == {}


def test_a_run_that_is_planned_again_counts_its_new_commits_too(scrape: Any, state: RedisState) -> None:
    state.commit(0, commit(0, ok=2), "d", "plan")
    scrape()
    state.put_manifest(json.dumps(PLAN | {"photos": 9}), "again", replaces="plan")
    state.commit(0, commit(0, ok=5), "e", "again")
    assert scrape()['meanface_photos_total{outcome="ok"}'] == 7


def test_attempts_count_by_their_ends(scrape: Any, state: RedisState) -> None:
    ends = ("done", "duplicate", "conflict", "failed")
    for number, end in enumerate((*ends, "conflict")):
        with recorded(state, "embed", number % 2) as recorder:
            recorder.begin("plan")
            recorder.end = end  # type: ignore[assignment]  # mypy takes it for any string
    found = scrape()
    assert [found[f'meanface_attempts_total{{end="{end}",stage="embed"}}'] for end in ends] == [1, 1, 2, 1]
    assert found['meanface_commits_total{answer="duplicate"}'] == 1
    assert found['meanface_commits_total{answer="conflict"}'] == 2
    assert found['meanface_retries_total{stage="embed"}'] == 3
    assert found['meanface_stage_seconds_total{stage="plan"}'] == 0


def test_partitions_are_waiting_embedding_silent_or_failed(scrape: Any, state: RedisState) -> None:
    now = time.time()
    state.put_progress(0, progress("embedding", now, rate=4.5), "plan")
    state.put_progress(1, progress("embedding", now - 300, rate=2.0), "plan")
    found = scrape()
    states = Counter({name: found[f'meanface_partitions{{state="{name}"}}'] for name in ("waiting", "silent")})
    assert states == {"waiting": 1, "silent": 1}
    assert found['meanface_partitions{state="embedding"}'] == 1
    assert found["meanface_photos_per_second"] == 4.5
    state.put_progress(2, progress("failed", now), "plan")
    assert scrape()['meanface_partitions{state="failed"}'] == 1


def test_a_run_with_a_result_and_an_abandoned_one_have_no_open_partitions(
    scrape: Any, state: RedisState, new_state: Callable[[str], RedisState]
) -> None:
    abandoned = new_state("abandoned")
    abandoned.put_manifest(json.dumps(PLAN), "plan")
    abandoned.put_progress(0, progress("embedding", time.time() - 7 * 3600), "plan")
    state.put_progress(0, progress("embedding", time.time()), "plan")
    state.put_result("{}", "plan")
    found = scrape()
    assert [found[f'meanface_partitions{{state="{name}"}}'] for name in ("waiting", "embedding", "silent")] == [0, 0, 0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda redis, run: redis.set(f"meanface:{{{run}}}:manifest", "[" * 100_000),
        lambda redis, run: redis.set(f"meanface:{{{run}}}:manifest", '{"schema": 2}'),
        lambda redis, run: redis.hset(f"meanface:{{{run}}}:commits", "0", b"short"),
        lambda redis, run: redis.hdel(f"meanface:{{{run}}}:commits", "0"),
        lambda redis, run: redis.hset(f"meanface:{{{run}}}:digests", "x", b"no number"),
    ],
)
def test_damaged_records_are_named_and_hide_no_other_run(
    scrape: Any,
    state: RedisState,
    name: str,
    new_state: Callable[[str], RedisState],
    redis_server: Any,
    damage: Callable[[Any, str], None],
) -> None:
    state.commit(0, commit(0, ok=5), "d", "plan")
    damage(redis_server.admin, name)
    other = new_state("other")
    other.put_manifest(json.dumps(PLAN), "plan")
    other.commit(0, commit(0, ok=3), "d", "plan")
    found = scrape()
    assert found["meanface_unreadable_runs"] == 1
    assert found['meanface_photos_total{outcome="ok"}'] == 3


def test_hostile_values_of_progress_and_attempts_count_as_missing(
    scrape: Any, state: RedisState, name: str, redis_server: Any
) -> None:
    for value in (b"", b"[]", b'{"schema": 1}', b"\xff", b'{"schema": 1, "stage": "other"}'):
        redis_server.admin.hset(f"meanface:{{{name}}}:attempts", value or b"x", value)
        redis_server.admin.hset(f"meanface:{{{name}}}:progress", value or b"x", value)
    found = scrape()
    assert found["meanface_unreadable_runs"] == 0
    assert found['meanface_partitions{state="waiting"}'] == 3


def test_without_redis_the_counters_keep_their_values(state: RedisState, redis_server: Any, exporter_url: str) -> None:
    collector = RunsCollector(Redis.from_url(exporter_url, protocol=2))
    state.commit(0, commit(0, ok=2), "d", "plan")
    before = {family.name: family for family in collector.collect()}
    redis_server.kill()
    after = {family.name: family for family in collector.collect()}
    assert before["meanface_redis_up"].samples[0].value == 1
    assert after["meanface_redis_up"].samples[0].value == 0
    assert after["meanface_photos"].samples == before["meanface_photos"].samples
    assert "meanface_partitions" not in after
    redis_server.start()
    assert {family.name for family in collector.collect()} == before.keys()


def test_no_label_has_unbounded_values(state: RedisState, name: str, exporter_url: str) -> None:
    with recorded(state, "reduce") as recorder:
        recorder.begin("plan")
        recorder.series = "daily"
    state.commit(0, commit(0, ok=2), "d", "plan")
    families: list[Metric] = list(RunsCollector(Redis.from_url(exporter_url, protocol=2)).collect())
    labels = [one.labels for family in families for one in family.samples]
    assert {label for each in labels for label in each} <= LABELS
    assert name not in str(labels)
    assert {"series": "daily"} in labels


def test_the_exporters_user_can_neither_change_runs_nor_read_other_keys(exporter_url: str, name: str) -> None:
    with Redis.from_url(exporter_url, protocol=2) as redis:
        for command in (
            ("SET", f"meanface:{{{name}}}:result", "{}"),
            ("GET", "other"),
            ("DEL", f"meanface:{{{name}}}:result"),
            ("CONFIG", "GET", "*"),
            ("EVAL", "return 1", "0"),
        ):
            with pytest.raises(NoPermissionError):
                redis.execute_command(*command)
