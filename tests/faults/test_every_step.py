"""A stage that dies between any two I/O steps loses nothing and counts nothing twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from faults.before import Before

STRIDE = 13
"""of the short version"""


@pytest.mark.parametrize("power_cut", [False, True], ids=["process", "machine"])
@pytest.mark.parametrize("stage", ["plan", "embed 0", "embed 1", "reduce"])
def test_death_at_every_step(befores: list[Before], every_step: bool, stage: str, power_cut: bool) -> None:
    """The process is killed before the k-th step; where its machine dies, what was not synced is lost, too.

    Between the death and the plain re-run, whatever is committed has its ledger in storage.
    """
    free = SimpleQueue[Before]()
    for each in befores:
        free.put(each)

    def die(step: int) -> bool:
        before = free.get()
        try:
            return before.survives(stage, step, power_cut=power_cut)
        finally:
            free.put(before)

    steps = range(1 + power_cut, befores[0].steps[stage] + 1, 1 if every_step else STRIDE)
    with ThreadPoolExecutor(len(befores)) as threads:
        died = list(threads.map(die, steps))
    assert sum(died) >= len(died) - 3, "the stage has fewer steps than it had"  # threads that read may vary by some
