"""The suite finds bugs: each of these, planted into the stages' processes, fails its checks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faults.before import Before
from faults.fields import Fields, Quiet
from faults.kinds import KINDS
from faults.outcome import WrongAnswer
from faults.schedule import Schedule

pytestmark = pytest.mark.long


def die_everywhere(before: Before, stage: str, *, power_cut: bool, bug: str) -> None:
    """What `test_every_step` does, at every fourth step, the last ones first."""
    for step in range(before.steps[stage], 0, -4):
        before.survives(stage, step, power_cut=power_cut, bug=bug)


def test_a_commit_before_the_ledger_is_durable(befores: list[Before]) -> None:
    with pytest.raises(WrongAnswer, match=r"partition 0 is committed.* ledger"):
        die_everywhere(befores[0], "embed 0", power_cut=False, bug="commit before the ledger is durable")


def test_names_that_are_not_synced(befores: list[Before]) -> None:
    with pytest.raises(WrongAnswer, match=r"partition 0 is committed.* ledger"):
        die_everywhere(befores[0], "embed 0", power_cut=True, bug="names are not synced")


def test_names_of_an_earlier_attempt_that_are_not_synced(befores: list[Before]) -> None:
    def die_at_each(steps: list[int]) -> None:
        for step in steps:
            befores[0].survives_both("embed 0", step, bug="names of an earlier attempt are not synced")

    with pytest.raises(WrongAnswer, match=r"partition 0 is committed.* ledger"):
        die_at_each(befores[0].folders_synced["embed 0"])


def test_float_sums(befores: list[Before]) -> None:
    with pytest.raises(WrongAnswer, match=r"the mean is not the exact one|exact differs"):
        die_everywhere(befores[0], "embed 0", power_cut=False, bug="float sums")


def test_a_second_commit_that_counts_twice(fields: Fields, quiet: Quiet) -> None:
    kinds = [kind for kind in KINDS if kind.rival == "at once"]

    def run(seeds: range) -> None:
        for seed in seeds:
            with fields.open(seed, kinds) as ground:
                script = replace(ground.place.script, bug="a second commit is added")
                planted = replace(ground, place=replace(ground.place, script=script))
                Schedule(planted, kinds, quiet.steps, quiet.bits).run()

    with pytest.raises(WrongAnswer, match=r"number of photos \d+, expected \d+"):
        run(range(20))  # some strike where one attempt has ended before the other begins
