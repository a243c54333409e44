"""Pods whose task has ended, or is gone; tests/e2e/test_left_pods.py has the sweep itself."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from kubernetes.client import models as k8s

from meanface_airflow import pod_sweep
from meanface_airflow.pod_sweep import ANNOTATION, Owner, grace, is_left, sweep

RUN = "manual__2026-01-02T12:00:00+00:00"
OWNER = Owner(str(UUID(int=1)), "meanface", RUN, "embed", 3)
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def pod(phase="Running", annotations=None, deletion=None):
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(annotations=annotations, deletion_timestamp=deletion),
        spec=k8s.V1PodSpec(containers=[]),
        status=k8s.V1PodStatus(phase=phase),
    )


@pytest.mark.parametrize("state", ["running", "deferred", "scheduled", "queued", "up_for_retry", "restarting", None])
@pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded", "Failed", "Unknown"])
def test_a_pod_whose_task_may_still_want_it_stays(state, phase):
    assert not is_left(pod(phase), OWNER, {RUN: {"embed_3": state}})


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "upstream_failed", "removed"])
@pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded", "Unknown"])
def test_a_pod_whose_task_has_ended_is_left(state, phase):
    assert is_left(pod(phase), OWNER, {RUN: {"embed_3": state, "embed_2": "running"}})


def test_a_failed_pod_stays_for_inspection_until_its_run_is_deleted():
    assert not is_left(pod("Failed"), OWNER, {RUN: {"embed_3": "failed"}})
    assert is_left(pod("Failed"), OWNER, {})


@pytest.mark.parametrize("states", [{}, {RUN: {}}, {RUN: {"embed_2": "deferred"}}, {"other": {"embed_3": "deferred"}}])
def test_a_pod_without_a_task_is_left(states):
    assert is_left(pod(), OWNER, states)


def test_a_task_that_is_not_mapped_has_its_own_name():
    plan = OWNER._replace(task_id="plan", map_index=-1)
    assert not is_left(pod(), plan, {RUN: {"plan": "deferred"}})


def test_the_owner_comes_back_from_the_annotation():
    task_instance = SimpleNamespace(
        dag_version_id=UUID(int=1), dag_id="meanface", run_id=RUN, task_id="embed", map_index=3
    )
    text = Owner.of(task_instance).text()
    assert Owner.read(pod(annotations={ANNOTATION: text})) == OWNER


@pytest.mark.parametrize(
    "annotations", [None, {}, {ANNOTATION: "?"}, {ANNOTATION: "[]"}, {ANNOTATION: '{"dag_id": "x"}'}]
)
def test_a_pod_of_another_version_is_nobodys(annotations):
    assert Owner.read(pod(annotations=annotations)) is None


def test_a_pod_is_deleted_by_force_only_if_its_node_is_lost():
    assert grace(pod(), NOW, 600) == {}
    assert grace(pod(deletion=NOW), NOW + timedelta(seconds=599), 600) is None
    assert grace(pod(deletion=NOW), NOW + timedelta(seconds=600), 600) == {"grace_period_seconds": 0}


def test_airflow_is_not_asked_about_failed_pods_each_time(monkeypatch):
    """They stay as long as their run, and the answer has the states of all of its tasks."""
    other = OWNER._replace(run_id="other")
    pods = [pod("Failed", {ANNOTATION: OWNER.text()}), pod("Running", {ANNOTATION: other.text()})]
    for number, each in enumerate(pods):
        each.metadata.name = f"pod-{number}"
    asked, deleted = [], []

    async def listed(*_, **__):
        return SimpleNamespace(items=pods)

    @asynccontextmanager
    async def connection():
        yield None

    async def delete(name, *_, **__):
        deleted.append(name)

    hook = SimpleNamespace(get_conn=connection, delete_pod=delete)
    monkeypatch.setattr(pod_sweep, "CoreV1Api", lambda _: SimpleNamespace(list_namespaced_pod=listed))
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", lambda **question: asked.append(question) or {})
    for failed_too, runs, left in ((False, ["other"], ["pod-1"]), (True, [RUN, "other"], ["pod-0", "pod-1"])):
        asked.clear()
        assert asyncio.run(sweep(hook, "faces", [OWNER.dag_version], 600, failed_too=failed_too)) == left
        assert [question["run_ids"] for question in asked] == [sorted(runs)]
    assert deleted == ["pod-1", "pod-0", "pod-1"]
