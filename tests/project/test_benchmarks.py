"""The benchmarks measure what they say they do, and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import FEW, Measured, Pair, measured
from benchmarks.table import Goal, show

ROOT = Path(__file__).parents[2]


def test_a_rate_is_without_start_up() -> None:
    """2 s of start-up, and 100 photos a second."""
    pair = Pair(Measured(2 + FEW / 100, (1,)), Measured(2 + 700 / 100, (1,)), 700)
    assert (pair.rate, pair.start, pair.seconds(2000)) == pytest.approx((100, 2, 22))


def test_every_process_of_a_command_is_seen() -> None:
    """Its own, and one that it starts and that takes 100 MB."""
    child = "import time; taken = b'x' * 10**8; time.sleep(1)"
    code = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    run = measured([sys.executable, "-c", code], cpus=1)
    own, started = run.peaks
    assert own < 5e7
    assert 1e8 < started < 1.5e8
    assert run.seconds > 1


def test_a_command_has_its_processors() -> None:
    measured([sys.executable, "-c", "import os; assert len(os.sched_getaffinity(0)) == 1"], cpus=1)


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="as it said"):
        measured([sys.executable, "-c", "raise SystemExit('as it said')"])


def test_goals() -> None:
    assert Goal("", 10.0, 10).reached
    assert not Goal("", 9.9, 10).reached
    assert not Goal("", 0.31, 0.3, at_most=True).reached
    assert Goal("help", 0.314, 0.3, " s", at_most=True).row() == ("help", "0.31 s", "<= 0.3 s", "MISSED")


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    show("who", ("name", "MB"), [("meanface", "1"), ("other", "100")])
    assert capsys.readouterr().out == "\nwho\n  name       MB\n  meanface    1\n  other     100\n"


@pytest.mark.long
def test_the_command_prints_its_tables() -> None:
    """Of the sample, with next to no photos."""
    command = [sys.executable, "-m", "benchmarks", "stages", "--photos", "70", "--rounds", "1"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    for line in (
        "7 photos of sample, 3 with a face, 1 rounds",
        "  decode ",
        "  detect, dlib ",
        "  landmarks, dlib ",
        "GFLOP/s",
    ):
        assert line in said
