"""What Airflow adds to a run: the DAG from trigger to result, the scheduler up, over `meanface run`."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import ROOT
from benchmarks.measure import measured, spread
from benchmarks.table import Goal, show

LOCAL = [str(ROOT / ".venvs/airflow/bin/python"), str(ROOT / "scripts/local.py")]


def dag(dataset: str, rounds: int) -> list[Goal]:
    """Measure both in turn, print, and tell the goal."""
    if Path(dataset).exists():
        dataset = str(Path(dataset).resolve())
    alone, under_airflow, photos = [], [], 0
    for _ in range(rounds):
        # A home of its own: a run over the photos of another one takes over what that has computed.
        with tempfile.TemporaryDirectory(prefix="meanface-", ignore_cleanup_errors=True) as home:
            command = [sys.executable, "-m", "meanface.cli", "run", dataset, "--output", f"{home}/alone"]
            alone.append(measured(command).seconds)
            told = os.environ | {"MEANFACE_HOME": home}
            command = [*LOCAL, "run", "--dataset", dataset]
            said = subprocess.run(command, check=True, capture_output=True, text=True, env=told).stdout
        minutes, seconds = re.findall(r"to start, (?:(\d+) min )?(\d+) s to run", said)[0]
        under_airflow.append(60.0 * int(minutes or 0) + int(seconds))
        photos = int(re.findall(r"^photos +([\d,]+):", said, re.MULTILINE)[0].replace(",", ""))
    overhead = statistics.median(airflow - own for airflow, own in zip(under_airflow, alone, strict=True))
    show(
        f"{photos:,} photos of {dataset}, {rounds} rounds; seconds: median (least-most)",
        ("command", "seconds"),
        [("meanface run", spread(alone)), ("the DAG, scheduler up", spread(under_airflow))],
    )
    return [Goal(f"the DAG's overhead over meanface run, {photos:,} photos", overhead, 20, " s", at_most=True)]
