"""Measure Airflow's overhead over `meanface run`, and the cost of a partition."""

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
from benchmarks.measure import measure, spread
from benchmarks.photos import read_photos, write_photos
from benchmarks.table import Goal, print_table

FEW_PHOTOS, FEW_PARTITIONS = 20, (1, 20)
"""of two runs over the same photos; their difference is the cost of partitions"""

LOCAL = [str(ROOT / ".venvs/airflow/bin/python"), str(ROOT / "scripts/local.py")]


def dag(dataset: str, rounds: int) -> list[Goal]:
    """Measure both in turn and print the figures; the goals."""
    if Path(dataset).exists():
        dataset = str(Path(dataset).resolve())
    alone, under_airflow, photos = [], [], 0
    for _ in range(rounds):
        # A separate home, because a run reuses what an earlier run over the same photos has
        # computed.
        with tempfile.TemporaryDirectory(prefix="meanface-", ignore_cleanup_errors=True) as home:
            command = [sys.executable, "-m", "meanface", "run", dataset, "--output", f"{home}/alone"]
            alone.append(measure(command).seconds)
            output = _under_airflow(home, "--dataset", dataset)
        minutes, seconds = re.findall(r"to start, (?:(\d+) min )?(\d+) s to run", output)[0]
        under_airflow.append(60.0 * int(minutes or 0) + int(seconds))
        photos = int(re.findall(r"^photos +([\d,]+):", output, re.MULTILINE)[0].replace(",", ""))
    overhead = statistics.median(airflow - own for airflow, own in zip(under_airflow, alone, strict=True))
    print_table(
        f"{photos:,} photos of {dataset}, {rounds} rounds; seconds: median (least-most)",
        ("command", "seconds"),
        [("meanface run", spread(alone)), ("the DAG, scheduler up", spread(under_airflow))],
    )
    return [
        Goal(f"the DAG's overhead over meanface run, {photos:,} photos", overhead, 20, " s", at_most=True),
        Goal("an additional partition, of one core", _partition(dataset, rounds), 2, " s", at_most=True),
    ]


def _partition(dataset: str, rounds: int) -> float:
    """Processor time of one more partition, for all processes together; the median."""
    costs = []
    for _ in range(rounds):
        spent = []
        for partitions in FEW_PARTITIONS:
            with tempfile.TemporaryDirectory(prefix="meanface-", ignore_cleanup_errors=True) as home:
                photos = write_photos(Path(home, "photos"), read_photos(dataset, FEW_PHOTOS))
                before = _processor_time()
                size = (
                    1 if partitions == FEW_PHOTOS else 10 * FEW_PHOTOS
                )  # gives that many partitions whatever the names are
                _under_airflow(home, "--dataset", str(photos), f"--partition-size={size}")
                spent.append(_processor_time() - before)
        few, many = FEW_PARTITIONS
        costs.append((spent[1] - spent[0]) / (many - few))
    print_table(
        f"{FEW_PHOTOS} photos in {FEW_PARTITIONS[0]} and in {FEW_PARTITIONS[1]} partitions, {rounds} rounds",
        ("", "processor seconds: median (least-most)"),
        [("an additional partition", spread(costs, 2))],
    )
    return statistics.median(costs)


def _under_airflow(home: str, *arguments: str) -> str:
    """Run the DAG in a separate home; the output."""
    environment = os.environ | {"MEANFACE_HOME": home}
    return subprocess.run(
        [*LOCAL, "run", *arguments], check=True, capture_output=True, text=True, env=environment
    ).stdout


def _processor_time() -> float:
    """Processor seconds of all ended child processes, and of the children that these waited for."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime
