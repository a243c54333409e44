"""Tasks are marked failed, runs are deleted, Airflow restarts: no pod is left, no attempt is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from photos import Desk
from release import MASTER, Release

from laptop.api import Airflow
from polling import until

INTERVAL = 30
"""seconds between two looks for pods that nobody watches (`meanface_airflow.pod_sweep`)"""
PARTITIONS = 24
END = "import os, signal; os.kill(1, signal.SIGTERM)"


def pods(release: Release, run: str) -> list[str]:
    """Names of a run's pods of all stages."""
    found = release.namespace.objects("pods", **{"app.kubernetes.io__managed-by": "airflow"})
    return [pod["metadata"]["name"] for pod in found if f"--run={run}" in pod["spec"]["containers"][0]["args"]]


def states(release: Release, run: str) -> dict[str, str]:
    """States of a run's tasks; `embed_3` is a partition's."""
    tasks = release.ask(lambda airflow: airflow.tasks(run))
    named = {f"{one['task_id']}_{one['map_index']}" if one["map_index"] >= 0 else one["task_id"]: one for one in tasks}
    return {name: one["state"] for name, one in named.items()}


def until_pods_start(release: Release, run: str) -> None:
    """Wait until a run starts embed pods, which it then does all the time: many wait for few slots."""

    def begun() -> bool:
        found = [state for name, state in states(release, run).items() if name.startswith("embed_")]
        return not {"queued", "running", "deferred"}.isdisjoint(found)

    until(begun, 300, every=0.2)


def until_gone(release: Release, run: str, seconds: float = 3 * INTERVAL) -> None:
    """Wait until a run has no pod, and none has come for a while."""
    began = last = time.monotonic()

    def none_for_a_while() -> bool:
        nonlocal last
        if pods(release, run):
            last = time.monotonic()
        return time.monotonic() - last > 10

    until(none_for_a_while, seconds + 10, every=1)
    print(f"\nthe last pod was seen after {last - began:.0f} s")


def copy(release: Release, run: str) -> str:
    """Create a pod of the same task as a run's only one; its name."""
    (name,) = pods(release, run)
    pod = json.loads(release.namespace.kubectl("get", "pod", name, "-o", "json"))
    kept = {key: pod["metadata"][key] for key in ("labels", "annotations")}
    release.namespace.apply({**pod, "metadata": {"name": f"{name}-copy", **kept}, "status": None})
    return f"{name}-copy"


def delete(airflow: Airflow, run: str) -> None:
    airflow._http.delete(f"/api/v2/dags/meanface/dagRuns/{quote(run, safe='')}").raise_for_status()


@pytest.fixture(scope="module")
def dataset(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A photo for each partition."""
    return desk.put_portraits(PARTITIONS, tmp_path_factory.mktemp("portraits"))


@pytest.fixture(scope="module")
def quiet(release: Release, dataset: str) -> list[float]:
    """The mean of a run that nobody disturbs."""
    run = release.trigger_anew(dataset, 1)
    mean = release.succeeded(run)
    assert set(release.tries(run, "embed").values()) == {1}
    return mean


def check(release: Release, desk: Desk, run: str, quiet: list[float]) -> None:
    """The run ends with the quiet run's bits, every photo once, one attempt each, no pod."""
    assert release.succeeded(run) == quiet
    ledger = desk.ledger(run)
    assert (ledger["photos"], ledger["whole"], ledger["mean"]) == (PARTITIONS, True, quiet)
    tries = release.tries(run, "embed")
    print(f"\nattempts beyond the first: { {index: number for index, number in tries.items() if number > 1} }")
    assert set(tries.values()) == {1}
    until_gone(release, run)


def test_a_restart_of_airflows_pod_costs_no_attempt(
    release: Release, desk: Desk, dataset: str, quiet: list[float]
) -> None:
    """It is deleted while tasks start their pods."""
    run = release.trigger_anew(dataset, 1)
    until_pods_start(release, run)
    release.namespace.kubectl("delete", "pod", MASTER, "--wait=false")
    check(release, desk, run, quiet)


def test_a_restart_of_the_api_server_costs_no_attempt(
    release: Release, desk: Desk, dataset: str, quiet: list[float]
) -> None:
    run = release.trigger_anew(dataset, 1)
    until_pods_start(release, run)
    release.namespace.run(MASTER, "api-server", "python3", "-ISc", END)
    check(release, desk, run, quiet)


def test_a_run_that_is_marked_failed_leaves_no_pod(release: Release, dataset: str) -> None:
    """While some of its tasks start their pods, and others wait for theirs."""
    run = release.trigger_anew(dataset, 1)
    until_pods_start(release, run)
    release.ask(lambda airflow: airflow.fail(run))
    until_gone(release, run)


@pytest.fixture(scope="module")
def waiting(release: Release) -> Iterator[Release]:
    """The release, whose pods wait for a node that does not exist."""
    release.upgrade(stages={"nodeSelector": {"meanface/none": "yes"}})
    release.until_ready()
    yield release
    release.upgrade()
    release.until_ready()


@pytest.fixture
def run(waiting: Release) -> Iterator[str]:
    """A run whose `plan` waits for its pod."""
    run = waiting.trigger(dataset="sample")
    until(lambda: states(waiting, run)["plan"] == "deferred" and pods(waiting, run), 120, every=0.5)
    yield run
    if (found := waiting.ask(lambda airflow: airflow.runs("manual"))) and found.get(run) == "running":
        waiting.ask(lambda airflow: airflow.fail(run))
        until_gone(waiting, run)


def test_a_task_that_is_marked_failed_leaves_no_pod(waiting: Release, run: str) -> None:
    waiting.ask(lambda airflow: airflow.fail_task(run, "plan", -1))
    until_gone(waiting, run)


def test_a_run_that_is_deleted_leaves_no_pod(waiting: Release, run: str) -> None:
    waiting.ask(lambda airflow: airflow.fail(run))
    waiting.ask(lambda airflow: delete(airflow, run))
    until_gone(waiting, run)


def test_a_task_that_is_marked_while_it_starts_its_pod_leaves_none(waiting: Release, run: str) -> None:
    """`run` keeps the triggerer at work."""
    starting = waiting.trigger(dataset="sample")
    until(lambda: states(waiting, starting)["plan"] == "running", 120, every=0.05)
    waiting.ask(lambda airflow: airflow.fail_task(starting, "plan", -1))
    until_gone(waiting, starting)


@pytest.mark.parametrize("end", [Airflow.fail, delete], ids=["marked", "deleted"])
def test_a_pod_that_nobody_watches_ends_with_its_task(waiting: Release, run: str, end: Any) -> None:
    """As after a restart of the triggerer, which does not know of it. The task of `run` goes on."""
    other = waiting.trigger(dataset="sample")
    until(lambda: states(waiting, other)["plan"] == "deferred" and pods(waiting, other), 120, every=0.5)
    unwatched, wanted = copy(waiting, other), copy(waiting, run)
    waiting.ask(lambda airflow: airflow.fail(other))
    if end is delete:
        waiting.ask(lambda airflow: delete(airflow, other))
    until(lambda: unwatched not in pods(waiting, other), 3 * INTERVAL, every=1)
    assert not pods(waiting, other)
    assert wanted in pods(waiting, run)
    waiting.namespace.kill(wanted)
