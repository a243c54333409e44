"""What Airflow adds to `meanface run`: the DAG from trigger to result, the scheduler up; and a partition's cost."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import ROOT
from benchmarks.measure import measured, spread
from benchmarks.photos import files, written
from benchmarks.table import Goal, show

FEW_PHOTOS, FEW_PARTITIONS = 20, (1, 20)
"""of two runs over the same photos, whose difference is the cost of partitions"""

LOCAL = [str(ROOT / ".venvs/airflow/bin/python"), str(ROOT / "scripts/local.py")]


def dag(dataset: str, rounds: int) -> list[Goal]:
    """Measure both in turn, print, and tell the goal."""
    if Path(dataset).exists():
        dataset = str(Path(dataset).resolve())
    alone, under_airflow, photos = [], [], 0
    for _ in range(rounds):
        # A home of its own: a run over the photos of another one takes over what that has computed.
        with tempfile.TemporaryDirectory(prefix="meanface-", ignore_cleanup_errors=True) as home:
            command = [sys.executable, "-m", "meanface", "run", dataset, "--output", f"{home}/alone"]
            alone.append(measured(command).seconds)
            said = _under_airflow(home, "--dataset", dataset)
        minutes, seconds = re.findall(r"to start, (?:(\d+) min )?(\d+) s to run", said)[0]
        under_airflow.append(60.0 * int(minutes or 0) + int(seconds))
        photos = int(re.findall(r"^photos +([\d,]+):", said, re.MULTILINE)[0].replace(",", ""))
    overhead = statistics.median(airflow - own for airflow, own in zip(under_airflow, alone, strict=True))
    show(
        f"{photos:,} photos of {dataset}, {rounds} rounds; seconds: median (least-most)",
        ("command", "seconds"),
        [("meanface run", spread(alone)), ("the DAG, scheduler up", spread(under_airflow))],
    )
    return [
        Goal(f"the DAG's overhead over meanface run, {photos:,} photos", overhead, 20, " s", at_most=True),
        Goal("a further partition, of one core", _partition(dataset, rounds), 2, " s", at_most=True),
    ]


def _partition(dataset: str, rounds: int) -> float:
    """Processor time of one more partition: of all processes of Airflow and of the stages, median."""
    costs = []
    for _ in range(rounds):
        spent = []
        for partitions in FEW_PARTITIONS:
            with tempfile.TemporaryDirectory(prefix="meanface-", ignore_cleanup_errors=True) as home:
                photos = written(Path(home, "photos"), files(dataset, FEW_PHOTOS))
                before = _processor_time()
                size = 1 if partitions == FEW_PHOTOS else 10 * FEW_PHOTOS  # whatever the names, that many partitions
                _under_airflow(home, "--dataset", str(photos), f"--partition-size={size}")
                spent.append(_processor_time() - before)
        few, many = FEW_PARTITIONS
        costs.append((spent[1] - spent[0]) / (many - few))
    show(
        f"{FEW_PHOTOS} photos in {FEW_PARTITIONS[0]} and in {FEW_PARTITIONS[1]} partitions, {rounds} rounds",
        ("", "processor seconds: median (least-most)"),
        [("a further partition", spread(costs, 2))],
    )
    return statistics.median(costs)


def _under_airflow(home: str, *arguments: str) -> str:
    """What a run by the DAG says, in a home of its own."""
    told = os.environ | {"MEANFACE_HOME": home}
    return subprocess.run([*LOCAL, "run", *arguments], check=True, capture_output=True, text=True, env=told).stdout


def _processor_time() -> float:
    """Of all processes that have ended, seconds: whoever waits for a process is charged with its time, too."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime
