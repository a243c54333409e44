"""The production profile: one pod of each component of Airflow is killed during a run.

Task logs, photos and the runs' files are in buckets of a server on this machine, which pods reach at
the address `E2E_HOST`, by default Docker's bridge.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from photos import CHECKOUT, archive_of, here, portraits
from release import NAME, NAMESPACE, TAG, VALUES, Release

from laptop.api import Airflow
from laptop.services import unused_port
from polling import until

PROCESSES = ("scheduler", "api-server", "triggerer", "dag-processor")
SERVER = """
import sys, threading
from moto.server import ThreadedMotoServer
ThreadedMotoServer(ip_address="0.0.0.0", port=int(sys.argv[1]), verbose=False).start()
threading.Event().wait()
"""
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
PASSWORD = "a-password"
REDIS_LABELS = {"app": "their-redis"}


@dataclass(frozen=True)
class Buckets:
    """A server with the protocol of S3, on this machine."""

    host: str
    port: int

    def put(self, path: str, data: bytes = b"") -> None:
        """Create a bucket, or an object in it."""
        kind = {"Content-Type": "application/octet-stream"}
        request = Request(f"http://127.0.0.1:{self.port}/{path}", data=data, headers=kind, method="PUT")
        with urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def keys(self, bucket: str) -> list[str]:
        """Names of a bucket's objects."""
        with urlopen(f"http://127.0.0.1:{self.port}/{bucket}?list-type=2", timeout=30) as answer:
            return re.findall(r"<Key>(.*?)</Key>", answer.read().decode())


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    host = os.environ.get("E2E_HOST") or bridge()
    if not host:
        pytest.skip("pods cannot reach this machine: set E2E_HOST to an address at which they can")
    port = unused_port()
    python = CHECKOUT / ".venvs/meanface/bin/python"
    process = subprocess.Popen([python, "-c", SERVER, str(port)], stderr=subprocess.DEVNULL)
    found = Buckets(host, port)

    def answers() -> bool:
        try:
            found.put("faces")
        except OSError:
            return False
        return True

    try:
        until(answers, 180, every=0.5)
        yield found
    finally:
        process.kill()
        process.wait()


def bridge() -> str:
    """Address of Docker's bridge; empty if there is none."""
    done = subprocess.run(["ip", "-4", "-o", "addr", "show", "docker0"], capture_output=True, text=True, check=False)
    found = re.search(r"inet ([0-9.]+)/", done.stdout)
    return found[1] if found else ""


@pytest.fixture(scope="module")
def production(cluster: None, buckets: Buckets) -> Iterator[Release]:
    """The profile, ready, with a Redis that is not the chart's."""
    server = f"http://{buckets.host}:{buckets.port}"
    values: dict[str, Any] = {
        "airflow": VALUES["airflow"]
        | {
            "separate": True,
            "parallelism": 4,
            "logs": {"url": "s3://faces/logs", "secret": "keys"},
            "podDisruptionBudget": {"enabled": True},
            "databaseCleanup": {"enabled": True},
            **{name: {"replicas": 2} for name in ("apiServer", "scheduler")},
        },
        "stages": VALUES["stages"] | {"pool": {"slots": 2}, "privateAddresses": f"{buckets.host}:{buckets.port}"},
        "database": VALUES["database"],
        "redis": {"external": {"secret": "redis-address"}},
        "storage": {"url": "s3://faces/meanface", "secret": "keys"},
        "imageRegistry": VALUES["imageRegistry"],
    }
    release = Release(f"{NAMESPACE}-production", values)
    release.namespace.delete()
    release.namespace.kubectl("create", "namespace", release.namespace.name)
    secret = {"apiVersion": "v1", "kind": "Secret"}
    keys = KEYS | {"AWS_ENDPOINT_URL": server, "FSSPEC_S3_ENDPOINT_URL": server}
    release.namespace.apply(secret | {"metadata": {"name": "keys"}, "stringData": keys})
    address = {"url": f"redis://:{PASSWORD}@their-redis:6379/0"}
    release.namespace.apply(secret | {"metadata": {"name": "redis-address"}, "stringData": address})
    for each in their_redis():
        release.namespace.apply(each)
    release.install()
    release.until_ready(600)
    yield release
    release.close()
    release.namespace.delete()


def their_redis() -> list[dict[str, Any]]:
    """A Redis that the chart does not know, and its name."""
    container = {
        "name": "redis",
        "image": "redis:7-bookworm",
        "command": ["redis-server", "--requirepass", PASSWORD, "--appendonly", "yes", "--dir", "/tmp"],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "their-redis", "labels": REDIS_LABELS},
            "spec": {"containers": [container]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "their-redis"},
            "spec": {"selector": REDIS_LABELS, "ports": [{"port": 6379}]},
        },
    ]


def ready(release: Release, process: str) -> set[str]:
    """Names of a component's pods that are ready and not being deleted."""
    return {
        pod["metadata"]["name"]
        for pod in release.namespace.objects("pods", instance=NAME, meanface__process=process)
        if "deletionTimestamp" not in pod["metadata"]
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
    }


def test_a_run_has_its_bits_although_one_pod_of_each_component_dies(
    production: Release, buckets: Buckets, tmp_path: Path
) -> None:
    archive = archive_of(portraits(), 60, tmp_path / "photos.tar")
    expected = here(archive, tmp_path / "here")
    buckets.put("faces/photos.tar", archive.read_bytes())
    run = production.trigger(dataset="s3://faces/photos.tar", partition_size=5)
    until(lambda: production.stage_pods(run), 300, every=0.5)
    killed = set()
    for process in PROCESSES:
        assert production.ask(lambda airflow: airflow.state(run)) == "running"
        victim = min(ready(production, process))
        production.namespace.kill(victim)
        killed.add(victim)
    assert production.ask(lambda airflow: airflow.state(run)) == "running"
    assert production.succeeded(run) == expected["mean"]
    summary = production.summary(run)
    assert (summary["photos"], summary["faces"]) == (expected["photos"], expected["faces"])
    production.until_ready(600)
    assert len(killed) == len(PROCESSES)
    assert not killed & {name for process in PROCESSES for name in ready(production, process)}
    assert not production.stage_pods(run)

    def logs(airflow: Airflow) -> dict[str, list[str]]:
        return {f"{task['task_id']}[{task['map_index']}]": airflow.log(run, task) for task in airflow.tasks(run)}

    assert [name for name, lines in production.ask(logs).items() if not lines] == []
    assert [key for key in buckets.keys("faces") if key.startswith("logs/") and run in key]


def test_helm_test_passes(production: Release) -> None:
    production.test()


def test_the_database_is_cleaned(production: Release) -> None:
    """By the CronJob's own job; young runs stay."""
    runs = production.ask(lambda airflow: airflow.runs("manual"))
    (schedule,) = production.namespace.objects("cronjobs", instance=NAME)
    job = schedule["spec"]["jobTemplate"] | {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "clean"}}
    production.namespace.apply(job)
    production.namespace.kubectl("wait", "--for=condition=complete", "job/clean", "--timeout=280s", seconds=300)
    assert production.ask(lambda airflow: airflow.runs("manual")) == runs


def test_both_images_are_those_under_test(production: Release) -> None:
    pods = production.namespace.objects("pods", instance=NAME, component="airflow")
    images = {c["image"] for pod in pods for c in pod["spec"]["containers"]}
    assert len(pods) == 6
    assert {image.rpartition(":")[2] for image in images} == {TAG} if TAG else len(images) == 1


def test_pods_of_a_component_are_on_different_nodes(production: Release) -> None:
    nodes = [
        each
        for each in json.loads(production.namespace.kubectl("get", "nodes", "-o", "json"))["items"]
        if not each["spec"].get("taints")
    ]
    if len(nodes) < 2:
        pytest.skip("the cluster has one node")
    for process in ("scheduler", "api-server"):
        pods = production.namespace.objects("pods", instance=NAME, meanface__process=process)
        assert len({pod["spec"]["nodeName"] for pod in pods}) == 2, process
