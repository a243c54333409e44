"""The one way in which a command is measured: on processors of its own, from outside, all its processes together.

A start-up is whatever does not grow with the number of photos. So a contender is run over a few photos and over many,
and its rate is that of the photos between; imports, models and reports cancel, whoever it is.
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
"""photos of the shorter run; the sample has so many"""

LOOK_SECONDS = 0.2
"""between two looks at the processes; the kernel keeps their peaks, so that none is missed but a short-lived one's"""


@dataclass(frozen=True)
class Measured:
    """One run of a command."""

    seconds: float
    peaks: tuple[int, ...]
    """the most memory that each of its processes has had, bytes; its own first"""


@dataclass(frozen=True)
class Pair:
    """A command over `FEW` photos and over many."""

    few: Measured
    many: Measured
    photos: int

    @property
    def rate(self) -> float:
        """Photos per second, without start-up."""
        return (self.photos - FEW) / (self.many.seconds - self.few.seconds)

    @property
    def start(self) -> float:
        """Seconds of start-up."""
        return self.few.seconds - FEW / self.rate

    def seconds(self, photos: int) -> float:
        """What so many photos take, start-up included."""
        return self.start + photos / self.rate


def measured(command: Sequence[str], environment: Mapping[str, str] | None = None, cpus: int | None = None) -> Measured:
    """Run a command to its end.

    Parameters
    ----------
    environment
        variables besides those of this process
    cpus
        how many processors it may use; all of this process's if not given

    Raises
    ------
    RuntimeError
        with the end of what the command said, if it fails
    """
    variables = {**os.environ, **(environment or {})}
    with tempfile.TemporaryFile("w+") as said, _confined(cpus):
        started = time.perf_counter()
        process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=said, stderr=said)
        with _confined(None):
            peaks = _followed(process)
        seconds = time.perf_counter() - started
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said.read()[-2000:]}")
    return Measured(seconds, tuple(peaks.values()))


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the least and the most."""
    middle, least, most = (f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({least}-{most})"


def memory_of(pid: int, what: str = "VmHWM") -> int:
    """What the kernel says of a process's memory, in bytes: its peak, or what it has now (`VmRSS`); 0 of none."""
    try:
        found = re.search(rf"{what}:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


def _followed(process: subprocess.Popen[bytes]) -> dict[int, int]:
    """The peaks of a process and of all that it starts, until its end."""
    peaks: dict[int, int] = {process.pid: 0}
    end = os.pidfd_open(process.pid)
    try:
        while not select.select([end], [], [], LOOK_SECONDS)[0]:
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
    """What is started meanwhile has so many processors; the same ones every time."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(_ALL)[:cpus])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
