"""Many small partitions through a small pool: all finish, and Airflow stays healthy.

What is measured is the way of a pod, not embedding: all but a few photos are too large by the
settings.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from photos import Desk, archive_of, here, portraits
from release import MASTER, NAME, Release

from laptop.api import Airflow

PROCESSOR_SECONDS = """
import pathlib
old, new = pathlib.Path("/sys/fs/cgroup/cpuacct/cpuacct.usage"), pathlib.Path("/sys/fs/cgroup/cpu.stat")
print(int(old.read_text()) / 1e9 if old.exists() else int(new.read_text().split()[1]) / 1e6)
"""
PARTITIONS, SLOTS = int(os.environ.get("E2E_PARTITIONS", "500")), 8


def processor_seconds(release: Release) -> dict[str, float]:
    """Processor time of each of Airflow's containers so far."""
    containers = ("api-server", "scheduler", "dag-processor", "triggerer")
    return {
        each: float(release.namespace.run(MASTER, each, "python3", "-ISc", PROCESSOR_SECONDS)) for each in containers
    }


def test_a_wide_run(release: Release, desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_pool = ["airflow", "pools", "set", "meanface", str(SLOTS), "stages", "--include-deferred"]
    release.namespace.run(MASTER, "scheduler", *set_pool)
    (face,) = (photo for photo in portraits() if photo.name == "grace_hopper.jpg")
    limit = face.stat().st_size
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(limit + 1))
    archive = archive_of([face] + 49 * [large], PARTITIONS, tmp_path / "wide.tar")
    dataset = desk.put("/storage/datasets/wide.tar", archive.read_bytes())

    started, before = time.monotonic(), processor_seconds(release)
    run = release.trigger(dataset=dataset, partition_size=1, max_bytes=limit)
    most, unwell = 0, set()
    while release.ask(lambda airflow: airflow.state(run)) not in ("success", "failed"):
        most = max(most, len(release.namespace.pods("Running", instance=NAME, component="embed")))
        unwell |= {(name, state) for name, state in release.ask(Airflow.health).items() if state != "healthy"}
        time.sleep(5)
    seconds = time.monotonic() - started
    taken = {name: (after - before[name]) / PARTITIONS for name, after in processor_seconds(release).items()}

    assert release.succeeded(run) == here(archive, tmp_path / "here", "--max-bytes", str(limit))["mean"]
    assert release.summary(run)["outcomes"]["ok"] == len(range(0, PARTITIONS, 50))
    assert not unwell
    assert 1 < most <= SLOTS
    tries = release.tries(run, "embed")
    assert len(tries) == PARTITIONS
    asked = time.monotonic()
    grid = release.ask(lambda airflow: airflow.get(f"/ui/grid/ti_summaries/meanface?run_ids={quote(run)}"))
    assert {task["task_id"]: task["state"] for task in grid["task_instances"]}["embed"] == "success"
    opened = time.monotonic() - asked
    with capsys.disabled():
        print(
            f"\n{PARTITIONS} pods, {SLOTS} at once: {seconds:.0f} s, {seconds / PARTITIONS:.2f} s a pod, "
            f"Airflow's part of a core: {sum(taken.values()):.2f} s a pod "
            f"({', '.join(f'{name} {part:.2f}' for name, part in taken.items())}); "
            f"at most {most} at once, {sum(tries.values()) - PARTITIONS} retried; grid in {opened:.1f} s"
        )
