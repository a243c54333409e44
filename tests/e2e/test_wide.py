"""Many small partitions through a small pool, on all nodes: all finish, and Airflow stays healthy.

What is measured is the way of a pod, not embedding: all but a few photos are too large by the
settings.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from kubectl import Namespace
from photos import Desk, archive_of, here, portraits
from release import MASTER, NAME, NAMESPACE, VALUES, Release

from laptop.api import Airflow

PROCESSOR_SECONDS = """
import pathlib
old, new = pathlib.Path("/sys/fs/cgroup/cpuacct/cpuacct.usage"), pathlib.Path("/sys/fs/cgroup/cpu.stat")
print(int(old.read_text()) / 1e9 if old.exists() else int(new.read_text().split()[1]) / 1e6)
"""
SPREAD = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "embed"}},
                    "topologyKey": "kubernetes.io/hostname",
                },
            }
        ]
    }
}
"""Pods of a stage keep away from each other; otherwise all are on the node without Airflow, which has more room."""
PARTITIONS, SLOTS = int(os.environ.get("E2E_PARTITIONS", "500")), 16
QUIET_SECONDS = 60


@pytest.fixture(scope="module")
def wide(cluster: None) -> Iterator[Release]:
    """The chart, with a claim for many nodes if there are many; Airflow is on the first."""
    claim = {"keep": False} | ({"accessModes": ["ReadWriteMany"]} if len(nodes()) > 1 else {})
    first = {"nodeSelector": {"kubernetes.io/hostname": nodes()[0]}}
    values = VALUES | {
        "airflow": VALUES["airflow"] | first | {"parallelism": SLOTS},
        "redis": first,
        "database": VALUES["database"] | first,
        "stages": VALUES["stages"] | {"pool": {"slots": SLOTS}, "affinity": SPREAD, "pollInterval": 5},  # the default
        "storage": {"claim": claim},
    }
    with Release(f"{NAMESPACE}-wide", values).installed() as release:
        yield release


def nodes() -> list[str]:
    """Names of the cluster's nodes."""
    found = json.loads(Namespace("default").kubectl("get", "nodes", "-o", "json"))["items"]
    return sorted(node["metadata"]["labels"]["kubernetes.io/hostname"] for node in found)


def processor_seconds(release: Release) -> dict[str, float]:
    """Processor time of each of Airflow's containers so far."""
    containers = ("api-server", "scheduler", "dag-processor", "triggerer")
    return {
        each: float(release.namespace.run(MASTER, each, "python3", "-ISc", PROCESSOR_SECONDS)) for each in containers
    }


def test_a_wide_run(wide: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (face,) = (photo for photo in portraits() if photo.name == "grace_hopper.jpg")
    limit = face.stat().st_size
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(limit + 1))
    desk = Desk(wide.namespace, nodes()[0])
    first = archive_of([face] + (SLOTS - 1) * [large], SLOTS, tmp_path / "first.tar")
    archive = archive_of([face] + 49 * [large], PARTITIONS, tmp_path / "wide.tar")
    warming = desk.put("/storage/datasets/first.tar", first.read_bytes())
    dataset = desk.put("/storage/datasets/wide.tar", archive.read_bytes())

    at_start = processor_seconds(wide)  # what Airflow's processes do only once is not a pod's
    wide.succeeded(wide.trigger(dataset=warming, partition_size=1, max_bytes=limit))
    at_rest = processor_seconds(wide)
    time.sleep(QUIET_SECONDS)
    started, before = time.monotonic(), processor_seconds(wide)
    first_run = sum(at_rest.values()) - sum(at_start.values())
    idle = {name: (before[name] - at_rest[name]) / QUIET_SECONDS for name in before}

    run = wide.trigger(dataset=dataset, partition_size=1, max_bytes=limit)
    most, unwell = 0, set()
    where: dict[str, str] = {}
    while wide.ask(lambda airflow: airflow.state(run)) not in ("success", "failed"):
        pods = wide.namespace.objects("pods", instance=NAME, component="embed")
        most = max(most, sum(pod["status"]["phase"] == "Running" for pod in pods))
        where |= {pod["metadata"]["name"]: pod["spec"].get("nodeName", "") for pod in pods}
        unwell |= {(name, state) for name, state in wide.ask(Airflow.health).items() if state != "healthy"}
        time.sleep(5)
    seconds = time.monotonic() - started
    taken = {name: (after - before[name]) / PARTITIONS for name, after in processor_seconds(wide).items()}

    assert wide.succeeded(run) == here(archive, tmp_path / "here", "--max-bytes", str(limit))["mean"]
    assert wide.summary(run)["outcomes"]["ok"] == len(range(0, PARTITIONS, 50))
    assert not unwell
    assert 1 < most <= SLOTS
    assert set(where.values()) - {""} == set(nodes())
    tries = wide.tries(run, "embed")
    assert len(tries) == PARTITIONS
    asked = time.monotonic()
    grid = wide.ask(lambda airflow: airflow.get(f"/ui/grid/ti_summaries/meanface?run_ids={quote(run)}"))
    assert {task["task_id"]: task["state"] for task in grid["task_instances"]}["embed"] == "success"
    opened = time.monotonic() - asked
    with capsys.disabled():
        print(
            f"\n{PARTITIONS} pods, {SLOTS} at once: {seconds:.0f} s, {seconds / PARTITIONS:.2f} s a pod, "
            f"Airflow's part of a core: {sum(taken.values()):.2f} s a pod "
            f"({', '.join(f'{name} {part:.2f}' for name, part in taken.items())}), "
            f"including {sum(idle.values()) * seconds / PARTITIONS:.2f} s of idle load "
            f"({', '.join(f'{name} {part * seconds / PARTITIONS:.3f}' for name, part in idle.items())}); "
            f"its first run of {SLOTS} pods took {first_run:.1f} s; "
            f"at most {most} at once, on {dict(Counter(where.values()))}, "
            f"{sum(tries.values()) - PARTITIONS} retried; grid in {opened:.1f} s"
        )
