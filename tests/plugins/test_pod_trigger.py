"""The trigger that watches a stage's pod, and gives it up when its node is lost."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from kubernetes.client import models as k8s

from meanface_airflow.pod_end import LOST, lost
from meanface_airflow.pod_trigger import StagePodTrigger

DUE = datetime(2026, 1, 2, 12, tzinfo=UTC)


def pod(deletion=None):
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(deletion_timestamp=deletion), spec=k8s.V1PodSpec(containers=[], node_name="node2")
    )


@pytest.mark.parametrize("late", [-30, 0, 599])
def test_a_pod_may_take_its_time_to_end(late):
    assert lost(pod(DUE), DUE + timedelta(seconds=late), 600) == ""
    assert lost(pod(), DUE + timedelta(days=3), 600) == ""


def test_a_pod_that_does_not_end_names_its_node():
    message = lost(pod(DUE), DUE + timedelta(seconds=600), 600)
    assert message.startswith(f"{LOST} 2026-01-02T12:00:00+00:00")
    assert "node2" in message


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_lost_pod_ends_the_wait_whether_it_had_started_or_not(monkeypatch, phase):
    """A pod that waits for its image or a volume has no container yet."""
    found = pod(datetime.now(UTC) - timedelta(seconds=20))
    found.metadata.name, found.metadata.namespace = "embed", "faces"
    found.status = k8s.V1PodStatus(phase=phase, conditions=[k8s.V1PodCondition(type="PodScheduled", status="True")])
    reads = [pod(), found]  # the first read is before the loss
    reads[0].metadata, reads[0].status = k8s.V1ObjectMeta(name="embed", namespace="faces"), found.status

    class Hook:
        async def get_pod(self, name, namespace):  # noqa: ARG002 - the hook's names
            return reads.pop(0) if len(reads) > 1 else reads[0]

    monkeypatch.setattr(StagePodTrigger, "hook", Hook())
    trigger = StagePodTrigger(
        lost_pod_seconds=7,
        pod_name="embed",
        pod_namespace="faces",
        trigger_start_time=datetime.now(UTC),
        base_container_name="base",
        poll_interval=0.01,
        startup_check_interval=0.01,
        log_events_on_startup=False,
    )

    async def first_event():
        return await anext(trigger.run())

    event = asyncio.run(asyncio.wait_for(first_event(), 10)).payload
    assert event["status"] == "timeout"
    assert event["message"].startswith(LOST)


def test_the_triggerer_makes_the_same_trigger_again():
    from airflow._shared.module_loading import import_string

    arguments = {
        "pod_name": "embed",
        "pod_namespace": "faces",
        "trigger_start_time": DUE,
        "base_container_name": "base",
    }
    trigger = StagePodTrigger(lost_pod_seconds=7, log_events_on_startup=False, **arguments)
    path, serialized = trigger.serialize()
    again = import_string(path)(**serialized)
    assert type(again) is StagePodTrigger
    assert again.serialize() == (path, serialized)
    assert (serialized["lost_pod_seconds"], serialized["log_events_on_startup"]) == (7, False)
