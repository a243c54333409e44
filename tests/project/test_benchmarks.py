"""The benchmarks run, and measure what they should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import avx2_cpu
from benchmarks.measure import FEW, Measured, Runs, measure
from benchmarks.table import Goal, print_table

ROOT = Path(__file__).parents[2]


def test_a_rate_is_without_start_up() -> None:
    """2 s of start-up, and 100 photos a second."""
    pair = Runs(*(Measured(2 + photos / 100, (1,)) for photos in (FEW, 70, 700)), 70, 700)
    assert (pair.rate, pair.start, pair.seconds(2000)) == pytest.approx((100, 2, 22))


def test_every_process_of_a_command_is_seen() -> None:
    """Its own, and one that it starts and that takes 100 MB."""
    child = "import time; taken = b'x' * 10**8; time.sleep(1)"
    code = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    run = measure([sys.executable, "-c", code], cpus=1)
    own, started = run.peaks
    assert own < 5e7
    assert 1e8 < started < 1.5e8
    assert run.seconds > 1


def test_a_command_has_its_processors() -> None:
    measure([sys.executable, "-c", "import os; assert len(os.sched_getaffinity(0)) == 1"], cpus=1)


def test_a_failing_command_is_reported() -> None:
    with pytest.raises(RuntimeError, match="the reason"):
        measure([sys.executable, "-c", "raise SystemExit('the reason')"])


def test_goals() -> None:
    assert Goal("", 10.0, 10).reached
    assert not Goal("", 9.9, 10).reached
    assert not Goal("", 0.31, 0.3, at_most=True).reached
    assert Goal("help", 0.314, 0.3, " s", at_most=True).row() == ("help", "0.31 s", "<= 0.3 s", "MISSED")


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("programs", ("name", "MB"), [("meanface", "1"), ("other", "100")])
    assert capsys.readouterr().out == "\nprograms\n  name       MB\n  meanface    1\n  other     100\n"


@pytest.mark.long
def test_the_command_prints_its_tables() -> None:
    """With very few photos of the sample."""
    command = [sys.executable, "-m", "benchmarks", "stages", "--photos", "70", "--rounds", "1"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    for line in (
        "7 photos of sample, 6 with a face, 1 rounds",
        "  decode ",
        "  detect, dlib ",
        "  landmarks, dlib ",
        "  network, ONNX Runtime ",
        "difference to float64",
        "GFLOP/s",
    ):
        assert line in printed


def test_a_cpu_without_avx512() -> None:
    """All libraries of a process, and of those that it starts, see one without AVX-512."""
    try:
        variables = avx2_cpu.environment()
    except RuntimeError as error:
        pytest.skip(str(error))
    seen = (
        "import numpy as np; from meanface.embedder.network import usable_kernels;"
        "found = np.show_config(mode='dicts')['SIMD Extensions'].get('found', []);"
        "print(usable_kernels(), [name for name in found if 'AVX512' in name or name == 'X86_V4'])"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {seen!r}], check=True)"
    environment = os.environ | variables
    printed = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert printed.stdout == "['avx2'] []\n"
