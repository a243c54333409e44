"""A stage that dies between any two I/O steps loses nothing and counts nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from faults.before import Before

STRIDE = 37
"""of the short version"""


@pytest.mark.parametrize("power_cut", [False, True], ids=["process", "machine"])
@pytest.mark.parametrize("stage", ["plan", "embed 0", "embed 1", "reduce"])
def test_death_at_every_step(befores: list[Before], every_step: bool, stage: str, power_cut: bool) -> None:
    """The process is killed before the k-th step; if its machine dies, unsynced changes are lost, too.

    Between the death and the plain re-run, whatever is committed has its ledger in storage.
    """
    last = max(before.steps[stage] for before in befores)
    steps = range(1 + power_cut, last + 1, 1 if every_step else STRIDE)
    die_at(befores, steps, lambda before, step: before.survives(stage, step, power_cut=power_cut))


@pytest.mark.parametrize("stage", ["plan", "embed 0"])
def test_a_power_cut_after_an_attempt_that_followed_a_death(
    befores: list[Before], every_step: bool, stage: str
) -> None:
    """The process is killed before the k-th step, and its machine when the next attempt has committed.

    What the first attempt did not come to sync, the second has found in place.
    """
    steps = range(1, befores[0].steps[stage] + 1) if every_step else befores[0].folders_synced[stage][::3]
    die_at(befores, steps, lambda before, step: before.survives_both(stage, step))


def die_at(befores: list[Before], steps: Sequence[int], survives: Callable[[Before, int], bool]) -> None:
    """Die at each of the steps, side by side."""
    free = SimpleQueue[Before]()
    for each in befores:
        free.put(each)

    def die(step: int) -> bool:
        before = free.get()
        try:
            return survives(before, step)
        finally:
            free.put(before)

    with ThreadPoolExecutor(len(befores)) as threads:
        died = list(threads.map(die, steps))
    assert died[0], "the stage has no steps"
