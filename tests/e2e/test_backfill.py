"""A backfill of a month with Airflow's command, while Airflow's only pod is killed."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from photos import Desk, here, portraits
from release import MASTER, Release

from laptop.api import Airflow
from polling import until

DAYS = [str(date(2026, 3, 1) + timedelta(number)) for number in range(int(os.environ.get("E2E_DAYS", "31")))]
LOGS = "/opt/airflow/state/logs"

OF_TASKS = """
import pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.log")):
    if any(end in str(path) for end in sys.argv[2:]):
        print(path.read_text(errors="replace"))
"""
"""Prints the task logs of the runs of days with these ends."""

LOCKED = re.compile(r"(?i)\blocked\b|deadlock")
OURS = re.compile(r"meanface_airflow/|dags/meanface\.py|meanface/\w+\.py")


def photos_of(day: str, photos: list[Path]) -> dict[str, Path]:
    """Each day has a different choice of the sample's photos, with different names."""
    number = DAYS.index(day)
    return {
        f"{day}-{photo.name}": photo for place, photo in enumerate(photos) if (number >> place) % 2 == 0 or place == 0
    }


def packed(photos: list[Path]) -> bytes:
    """A tar of every day's folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for day in DAYS:
            for name, photo in photos_of(day, photos).items():
                tar.add(photo, f"{day}/{name}")
    return buffer.getvalue()


def faults(log: str) -> list[str]:
    """Log lines about locks, and tracebacks through meanface, in text and JSON."""
    plain = re.findall(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)*.*", log)
    structured = [line for line in log.splitlines() if '"error_detail"' in line or '"frames"' in line]
    locked = [line for line in log.splitlines() if LOCKED.search(line)]
    return locked + [each for each in (*plain, *structured) if OURS.search(each)]


def of_airflow(release: Release) -> str:
    """The output of Airflow's containers."""
    return release.namespace.kubectl("logs", MASTER, "--all-containers", "--tail=-1")


def test_a_month_with_airflow_killed_in_the_middle(
    release: Release, desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [photo for photo in portraits() if photo.parent.name != "no_face"]
    desk.unpack("/storage/datasets/month", packed(photos))
    together = tmp_path / "together"
    together.mkdir()
    for day in DAYS:
        for name, photo in photos_of(day, photos).items():
            (together / name).write_bytes(photo.read_bytes())

    started = time.monotonic()
    release.backfill(DAYS[0], DAYS[-1], {"dataset": "/storage/datasets/month/%Y-%m-%d", "series": "month"})

    def in_the_middle() -> bool:
        states = list(release.backfilled(DAYS).values())
        return states.count("success") >= len(DAYS) // 3 and "running" in states

    until(in_the_middle, 1800, every=1)
    before = of_airflow(release)
    killed = time.monotonic()
    release.namespace.kill(MASTER)
    release.close()
    release.until_ready(600)
    back = time.monotonic()
    runs = release.finished_days(DAYS, 1800)
    ended = time.monotonic()

    assert set(runs.values()) == {"success"}, runs
    result = json.loads(desk.python("import sys; print(open(sys.argv[1]).read())", "/storage/series/month/result.json"))
    assert [each["interval"][:10] for each in result["intervals"]] == DAYS
    assert result["mean"] == here(together, tmp_path / "here")["mean"]
    ends = [name[len("backfill__") :][:10] for name in runs]
    tasks = release.namespace.run(MASTER, "scheduler", "python3", "-ISc", OF_TASKS, LOGS, *ends)
    assert tasks.count("Pausing task as DEFERRED") >= 3 * len(DAYS)
    assert [faults(log) for log in (before, of_airflow(release), tasks)] == [[], [], []]
    assert set(release.ask(Airflow.health).values()) == {"healthy"}
    with capsys.disabled():
        print(
            f"\n{len(DAYS)} days: {ended - started:.0f} s; Airflow was killed after {killed - started:.0f} s and "
            f"healthy again {back - killed:.0f} s later"
        )
