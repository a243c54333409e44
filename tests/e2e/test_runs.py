"""Runs in the cluster have the same bits as a local run, whatever happens to their pods."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from photos import Desk
from release import MASTER, MAX_BYTES, NAME, Release

from laptop.api import ApiError
from polling import until

EAT_MEMORY = """
import os, time
open("/proc/1/oom_score_adj", "w").write("1000")
while True:
    if os.fork() == 0:
        eaten = b"x" * (16 << 20)
        time.sleep(60)
"""
"""Uses more memory than the pod's limit, in processes smaller than the stage, so that the stage is
killed."""


KILL = ("delete", "pod", "--grace-period=0", "--force", "--wait=false", "--ignore-not-found", "-o", "name")


@pytest.fixture
def run(release: Release, lfw: str) -> str:
    """A run over LFW that has just been triggered."""
    return release.trigger_anew(lfw, 600)


@pytest.fixture
def check(release: Release, desk: Desk, lfw_here: dict[str, Any]) -> Callable[[str], None]:
    """Waits for a run, and compares its XCom, counts and ledger with those of a local run."""

    def held(run: str) -> None:
        assert release.succeeded(run) == lfw_here["mean"]
        summary = release.summary(run)
        assert (summary["photos"], summary["photos_with_face"], summary["outcomes"]["no_face"]) == (2000, 1992, 8)
        ledger = desk.ledger(run)
        assert (ledger["photos"], ledger["whole"]) == (2000, True)
        assert ledger["outcomes"] == {name: count for name, count in summary["outcomes"].items() if count}
        assert ledger["mean"] == lfw_here["mean"]

    return held


def embedding(release: Release, run: str) -> list[str]:
    """Wait for a run's first running embed pods; their names."""

    def working() -> list[str]:
        pods = release.namespace.objects("pods", component="embed", instance=NAME)
        return [
            pod["metadata"]["name"]
            for pod in pods
            if pod["status"]["phase"] == "Running" and f"--run={run}" in pod["spec"]["containers"][0]["args"]
        ]

    return until(working, 180, every=0.2)


def test_a_run_over_several_partitions(release: Release, run: str, check: Callable[[str], None]) -> None:
    check(run)
    assert len(release.tries(run, "embed")) >= 4
    assert release.namespace.pods(instance=NAME, component="embed") == []  # what has succeeded is gone
    logs = release.ask(lambda airflow: [line for task in airflow.tasks(run) for line in airflow.log(run, task)])
    assert any("Pausing task as DEFERRED" in line for line in logs)
    assert not any("Trigger returned but" in line for line in logs)  # the triggerer has watched to the end


def test_a_pod_is_deleted_by_force(release: Release, run: str, check: Callable[[str], None]) -> None:
    release.namespace.kill(embedding(release, run)[0])
    check(run)
    assert max(release.tries(run, "embed").values()) > 1


def test_a_pod_runs_out_of_memory(release: Release, run: str, check: Callable[[str], None]) -> None:
    victim = embedding(release, run)[0]
    with pytest.raises(Exception, match=r"kubectl exec"):
        release.namespace.run(victim, "base", "python", "-c", EAT_MEMORY)
    check(run)
    assert max(release.tries(run, "embed").values()) > 1


def test_redis_is_deleted(release: Release, run: str, check: Callable[[str], None]) -> None:
    with release.redis() as redis:
        until(lambda: redis.hkeys(f"meanface:{{{run}}}:digests"), 300)
    release.namespace.kill("meanface-redis-0")  # what is committed must be there when it is back
    release.close()
    check(run)


def test_postgresql_is_deleted(release: Release, run: str, check: Callable[[str], None]) -> None:
    embedding(release, run)
    release.namespace.kill("meanface-postgresql-0")
    check(run)


def test_the_scheduler_is_killed(release: Release, run: str, check: Callable[[str], None]) -> None:
    embedding(release, run)
    release.namespace.kill(MASTER)
    check(run)


def test_a_pod_is_deleted_right_after_its_commit(release: Release, run: str, check: Callable[[str], None]) -> None:
    """Its task is retried and finds the commit, which stays; no photo counts twice."""
    killed: dict[int, bytes] = {}
    with release.redis() as redis:

        def killed_behind_its_commit() -> bool:
            """Kill every pod whose partition is committed, unless it has ended already."""
            committed = redis.hgetall(f"meanface:{{{run}}}:digests")
            for name, partition in release.stage_pods(run).items():
                if (digest := committed.get(str(partition).encode())) and partition not in killed:
                    killed_now = release.namespace.kubectl(*KILL, name, may_fail=True)  # empty if it was gone
                    killed.update({partition: digest} if killed_now else {})
            return bool(killed) or release.ask(lambda airflow: airflow.state(run)) in ("success", "failed")

        until(killed_behind_its_commit, 300)
        check(run)
        assert killed, "every pod was gone before it could be killed"
        after = redis.hgetall(f"meanface:{{{run}}}:digests")
        assert killed.items() <= {int(partition): digest for partition, digest in after.items()}.items()
    tries = release.tries(run, "embed")
    assert {tries[partition] for partition in killed} <= {1, 2}  # 1 if the triggerer had seen it succeed


def test_the_same_run_twice_at_once(
    release: Release, lfw: str, check: Callable[[str], None], lfw_here: dict[str, Any]
) -> None:
    conf = {"dataset": lfw, "partition_size": 600, "max_bytes": next(MAX_BYTES)}
    with ThreadPoolExecutor(2) as both:
        runs = list(both.map(lambda _: release.trigger(**conf), range(2)))
    assert len(set(runs)) == 2
    for run in runs:
        check(run)


def test_one_name_is_one_run(release: Release) -> None:
    def trigger(_: int) -> str | None:
        try:
            return release.ask(lambda airflow: airflow.trigger({"dataset": "sample"}, name="one-name"))
        except ApiError:
            return None

    with ThreadPoolExecutor(2) as both:
        accepted = [run for run in both.map(trigger, range(2)) if run]
    assert accepted == ["one-name"]
    release.succeeded("one-name")
