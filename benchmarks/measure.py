"""Measure commands from outside, with all their child processes, on a fixed number of processors.

Start-up is the time that does not grow with the number of photos. So each contender runs over few
photos and over many, and its rate is that of the photos in between. Imports, models and reports
cancel out. meanface starts no second worker for very few photos, so its rate is that of the photos
between a middle run and the long one, which start the same workers.
"""

from __future__ import annotations

import os
import re
import select
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT

FEW = 7
"""photos of the shorter run, as many as the sample has"""

POLL_SECONDS = 0.2
"""Seconds between two polls of the processes. The kernel keeps their peaks, so only processes
that live shorter are missed."""


@dataclass(frozen=True)
class Measured:
    """Measurements of one run of a command."""

    seconds: float
    peaks: tuple[int, ...]
    """peak memory of each of its processes in bytes, its main process first"""


@dataclass(frozen=True)
class Runs:
    """Measurements of a command over `FEW` photos, over `some`, and over `photos`."""

    few: Measured
    middle: Measured
    many: Measured
    some: int
    photos: int

    @property
    def rate(self) -> float:
        """Photos per second, without start-up."""
        return (self.photos - self.some) / (self.many.seconds - self.middle.seconds)

    @property
    def start(self) -> float:
        """Seconds of start-up."""
        return self.few.seconds - FEW / self.rate

    def seconds(self, photos: int) -> float:
        """Seconds for so many photos, start-up included."""
        return self.start + photos / self.rate


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None, cpus: int | None = None) -> Measured:
    """Run a command to its end.

    Parameters
    ----------
    environment
        additional variables
    cpus
        number of processors it may use; by default all of this process's

    Raises
    ------
    RuntimeError
        with the end of the command's output, if it fails
    """
    variables = {**os.environ, **(environment or {})}
    with tempfile.TemporaryFile("w+") as output, _confined(cpus):
        started = time.perf_counter()
        process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=output, stderr=output)
        with _confined(None):
            peaks = _followed(process)
        seconds = time.perf_counter() - started
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{output.read()[-2000:]}")
    return Measured(seconds, tuple(peaks.values()))


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Format the median, the minimum and the maximum."""
    middle, least, most = (f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({least}-{most})"


def memory_of(pid: int, what: str = "VmHWM") -> int:
    """A process's memory in bytes: its peak, or `VmRSS` for the current one; 0 if it has ended."""
    try:
        found = re.search(rf"{what}:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


def _followed(process: subprocess.Popen[bytes]) -> dict[int, int]:
    """Peak memory of a process and of all its children, until it ends."""
    peaks: dict[int, int] = {process.pid: 0}
    end = os.pidfd_open(process.pid)
    try:
        while not select.select([end], [], [], POLL_SECONDS)[0]:
            for pid in _with_children(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), memory_of(pid))
    finally:
        os.close(end)
        process.wait()
    return peaks


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _with_children(int(child))


_ALL = os.sched_getaffinity(0)


@contextmanager
def _confined(cpus: int | None) -> Iterator[None]:
    """Give processes that are started meanwhile so many processors, always the same ones."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(_ALL)[:cpus])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
