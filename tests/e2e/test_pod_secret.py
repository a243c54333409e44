"""A pod waits for the Secret with its credentials, which is made after it and removed with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubectl import Namespace
from kubernetes import client, config
from kubernetes.client import models as k8s

from meanface_airflow.pod_secret import create_secret, refer_to_secret
from polling import until

POD = "meanface-plan-waits"


@pytest.fixture
def namespace(cluster: None) -> Iterator[Namespace]:
    found = Namespace("pod-secret")
    found.delete()
    found.kubectl("create", "namespace", found.name)
    until(lambda: found.kubectl("get", "serviceaccount", "default", "-o", "jsonpath={.secrets}", may_fail=True), 60)
    yield found
    found.delete()


@pytest.mark.parametrize("seconds", [0, 12])
def test_a_pod_gets_a_secret_that_comes_late_and_goes_with_it(namespace: Namespace, seconds: float) -> None:
    config.load_kube_config()
    api = client.CoreV1Api()
    container = k8s.V1Container(
        name="base", image="python:3.11-slim-bookworm", command=["sh", "-c", "echo key=$AWS_ACCESS_KEY_ID"]
    )
    pod = k8s.V1Pod(
        api_version="v1",
        kind="Pod",
        metadata=k8s.V1ObjectMeta(name=POD, namespace=namespace.name),
        spec=k8s.V1PodSpec(restart_policy="Never", containers=[container]),
    )
    refer_to_secret(pod, "base")
    api.create_namespaced_pod(namespace.name, pod)
    time.sleep(seconds)
    for _ in range(2):  # a task that goes on in another process makes it again
        create_secret(api, pod, {"AWS_ACCESS_KEY_ID": "k1"})

    def objects(kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(namespace.kubectl("get", kind, "-o", "json"))["items"]
        return [each for each in found if each["metadata"]["name"] == POD]

    until(lambda: objects("pod")[0]["status"]["phase"] == "Succeeded", 120)
    assert namespace.kubectl("logs", POD).strip() == "key=k1"
    namespace.kubectl("delete", "pod", POD)
    until(lambda: not objects("secret"), 60)
