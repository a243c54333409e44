"""Errors of a deployment are named in the affected task's log, and decide its state."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from release import Release

from laptop.api import Airflow, ApiError
from polling import until


class Plan:
    """The task `plan` of a run, under the Airflow that is installed."""

    def __init__(self, release: Release, run: str) -> None:
        self._release, self.run = release, run

    def __call__(self) -> dict[str, Any]:
        """The task instance, with its state and try."""
        tasks: list[dict[str, Any]] = self._release.ask(lambda airflow: airflow.tasks(self.run))
        return next(task for task in tasks if task["task_id"] == "plan")

    def wait_for_log(self, words: str, attempt: int = 1, seconds: float = 240) -> str:
        """Wait until an attempt's log (of task or triggerer) matches a pattern; the complete log."""

        def log(airflow: Airflow) -> str:
            with suppress(ApiError):  # it has not started
                return "\n".join(airflow.log(self.run, self() | {"try_number": attempt}))
            return ""

        return until(lambda: (text := self._release.ask(log)) and re.search(words, text) and text, seconds, every=2)

    def is_in(self, *states: str, seconds: float = 240) -> dict[str, Any]:
        """Wait until it has one of these states."""
        return until(lambda: (task := self())["state"] in states and task, seconds, every=1)


@pytest.fixture(scope="module")
def restored(release: Release) -> Iterator[Release]:
    """The release, whose values are restored at the end."""
    yield release
    release.upgrade()
    release.until_ready()


@pytest.fixture
def plan_with(restored: Release) -> Iterator[Callable[..., Plan]]:
    """Triggers a run with other settings of the stages; its task `plan`. Its pods are deleted at
    the end.
    """
    begun: list[str] = []

    def begin(**settings: str) -> Plan:
        restored.upgrade(airflow={"extraEnv": [{"name": name, "value": text} for name, text in settings.items()]})
        restored.until_ready()
        begun.append(restored.trigger(dataset="sample"))
        return Plan(restored, begun[-1])

    yield begin
    for run in begun:
        restored.ask(lambda airflow, run=run: airflow.fail(run))
        until(lambda run=run: not waiting(restored, run), 120, every=1)
        if left := list(restored.stage_pods(run, "plan")):
            restored.namespace.kill(*left)


def waiting(release: Release, run: str) -> dict[str, bool]:
    """A run's pods that have not ended, and whether each is being deleted, which may take half a
    minute.
    """
    pods = release.namespace.objects("pods", component="plan")
    of_run = [pod for pod in pods if f"--run={run}" in pod["spec"]["containers"][0]["args"]]
    left = [pod for pod in of_run if pod["status"]["phase"] not in ("Succeeded", "Failed")]
    return {pod["metadata"]["name"]: "deletionTimestamp" in pod["metadata"] for pod in left}


def test_a_wrong_password(restored: Release, plan_with: Callable[..., Plan]) -> None:
    """A retry cannot help."""
    url = restored.secret("meanface-redis", "url")
    password = re.search(r":([^:@/]+)@", url)
    assert password
    wrong = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "wrong"}}
    restored.namespace.apply(wrong | {"stringData": {"url": url.replace(password[1], "guessed")}})
    plan = plan_with(MEANFACE_REDIS_SECRET="wrong")
    assert plan.is_in("failed", "up_for_retry")["state"] == "failed"
    assert plan()["try_number"] == 1
    assert "guessed" not in plan.wait_for_log(r"exit code 2.*check user and password")


def test_a_missing_image(plan_with: Callable[..., Plan]) -> None:
    """A registry may become available again, so the task is retried with a new pod."""
    plan = plan_with(MEANFACE_IMAGE="meanface:absent")
    unpulled = r"Image cannot be pulled|ErrImagePull|ImagePullBackOff"
    plan.wait_for_log(unpulled)
    plan.wait_for_log(unpulled, attempt=2)
    plan.is_in("up_for_retry")
    assert all(waiting(plan._release, plan.run).values())


def test_a_missing_claim(plan_with: Callable[..., Plan]) -> None:
    """Its pod waits until the claim exists."""
    plan = plan_with(MEANFACE_STORAGE_CLAIM="absent")
    plan.wait_for_log(r'persistentvolumeclaim "absent" not found')
    assert (plan()["state"], plan()["try_number"]) == ("deferred", 1)


def test_an_impossible_request(plan_with: Callable[..., Plan]) -> None:
    plan = plan_with(MEANFACE_RESOURCES=json.dumps({"requests": {"cpu": "1000"}}))
    plan.wait_for_log(r"Insufficient cpu")
    assert (plan()["state"], plan()["try_number"]) == ("deferred", 1)


def test_no_node_beside_airflow(plan_with: Callable[..., Plan]) -> None:
    """The affinity for a claim that only one node can mount, if no node satisfies it."""
    nowhere = {"labelSelector": {"matchLabels": {"no": "node"}}, "topologyKey": "kubernetes.io/hostname"}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [nowhere]}
    plan = plan_with(MEANFACE_AFFINITY=json.dumps({"podAffinity": required}))
    plan.wait_for_log(r"didn't match pod affinity rules")
    assert (plan()["state"], plan()["try_number"]) == ("deferred", 1)
