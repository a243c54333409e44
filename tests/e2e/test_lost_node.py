"""A node is lost while a stage's pod runs on it: its task learns of it, and no pod is left behind.

It needs a second node that can be lost, as `../shared/kubernetes/up --nodes 2` gives.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from kubectl import Namespace
from photos import CHECKOUT

from meanface_airflow.errors import StageFailed
from meanface_airflow.pod import PodStageOperator
from meanface_airflow.pod_end import LOST
from meanface_airflow.pod_trigger import StagePodTrigger
from polling import until

NODE2 = CHECKOUT.parent / "shared/kubernetes/node2"
BACK = {"kill": "start", "cut": "mend", "freeze": "thaw"}
"""how a node is lost, and how it comes back"""
POD = "meanface-embed-lost"
SECONDS = 5
"""beyond the grace period"""


def node2(word: str) -> None:
    subprocess.run([NODE2, word], check=True, capture_output=True, timeout=300)


@pytest.fixture
def namespace(cluster: None) -> Iterator[Namespace]:
    nodes = json.loads(Namespace("default").kubectl("get", "nodes", "-o", "json"))["items"]
    if len(nodes) < 2 or not NODE2.exists():
        pytest.skip("the cluster has no second node that can be lost (../shared/kubernetes/up --nodes 2)")
    found = Namespace("lost-node")
    found.delete()
    found.kubectl("create", "namespace", found.name)
    yield found
    found.delete()


@pytest.fixture
def running(namespace: Namespace) -> Namespace:
    """A pod in the place of a stage's, on the second node."""
    container = {"name": "base", "image": "python:3.11-slim-bookworm", "command": ["sleep", "1000"]}
    spec: dict[str, Any] = {"nodeName": "node2", "restartPolicy": "Never", "containers": [container]}
    namespace.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec})
    until(lambda: phase(namespace) == "Running")
    return namespace


def phase(namespace: Namespace) -> str:
    return namespace.kubectl("get", "pod", POD, "-o", "jsonpath={.status.phase}", may_fail=True)


async def watched(namespace: Namespace) -> dict[str, Any]:
    """What the trigger reports of the pod."""
    trigger = StagePodTrigger(
        lost_pod_seconds=SECONDS,
        pod_name=POD,
        pod_namespace=namespace.name,
        trigger_start_time=datetime.now(UTC),
        base_container_name="base",
        config_dict=yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text()),
    )
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without an event")


@pytest.mark.parametrize("loss", BACK)
def test_the_task_of_a_pod_on_a_lost_node_is_retried(running: Namespace, loss: str) -> None:
    operator = PodStageOperator(task_id="embed", stage="embed", partition=0)
    node2(loss)
    try:
        began = time.monotonic()
        event = asyncio.run(asyncio.wait_for(watched(running), 300))
        print(f"\n{loss}: reported after {time.monotonic() - began:.0f} s")
        assert (event["status"], event["message"][: len(LOST)]) == ("timeout", LOST)
        assert "node2" in event["message"]
        with pytest.raises(StageFailed, match="node is probably lost"):
            operator.trigger_reentry({"ti": SimpleNamespace(xcom_push=lambda *_: None)}, event)
        assert running.pods() == []
    finally:
        node2(BACK[loss])


def test_the_task_of_a_pod_on_a_drained_node_is_retried(running: Namespace) -> None:
    """Also if its pod is gone when Airflow looks for the reason."""
    operator = PodStageOperator(task_id="embed", stage="embed", partition=0)
    drain = [
        "kubectl",
        "drain",
        "node2",
        "--ignore-daemonsets",
        "--force",
        "--delete-emptydir-data",
        "--grace-period=5",
    ]
    try:
        with subprocess.Popen(drain, stdout=subprocess.DEVNULL) as drained:
            event = asyncio.run(asyncio.wait_for(watched(running), 120))
        assert drained.returncode == 0
        assert event["status"] in ("failed", "error")
        running.kubectl("wait", "--for=delete", f"pod/{POD}", "--timeout=60s")
        with pytest.raises(StageFailed, match=r"embed: the pod was deleted .* the task is retried"):
            operator.trigger_reentry({"ti": SimpleNamespace(xcom_push=lambda *_: None)}, event)
    finally:
        running.kubectl("uncordon", "node2")
