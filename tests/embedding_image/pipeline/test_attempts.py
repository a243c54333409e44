"""Every attempt at a stage leaves a record of what it did, however it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import statefields
from meanface.errors import Conflict, RedisUnavailable
from meanface.pipeline import plan
from meanface.pipeline.attempts import Attempt, recorded
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.tally import TALLY


def attempts(state: MemoryState) -> list[Attempt]:
    return [Attempt.parsed(text, "an attempt") for text in statefields.attempts(state).values()]


def fail(state: MemoryState, error: BaseException) -> None:
    with recorded(state, "embed", 3) as recorder:
        recorder.begin("plan")
        raise error


@pytest.fixture
def state() -> MemoryState:
    state = MemoryState("r")
    state.put_manifest("{}", "plan")
    return state


@pytest.mark.parametrize(("error", "end"), [(Conflict, "conflict"), (RedisUnavailable, "failed")])
def test_an_attempt_that_fails_says_so_and_its_error_passes(
    state: MemoryState, error: type[Exception], end: str
) -> None:
    with pytest.raises(error):
        fail(state, error("no"))
    (attempt,) = attempts(state)
    assert (attempt.stage, attempt.partition, attempt.state) == ("embed", 3, end)


def test_a_killed_attempt_leaves_its_first_record(state: MemoryState) -> None:
    with pytest.raises(SystemExit):
        fail(state, SystemExit(143))
    (attempt,) = attempts(state)
    assert attempt.state == "running"


def test_what_happened_before_an_attempt_is_not_its_own(state: MemoryState) -> None:
    TALLY.add("bytes_read", 7)
    with recorded(state, "embed", 0) as recorder:
        recorder.begin("plan")
        TALLY.add("bytes_read", 5)
        TALLY.add("worker_deaths", 1)
        TALLY.add("hosts", 2.5)
        recorder.end = "duplicate"
    (attempt,) = attempts(state)
    assert (attempt.bytes_read, attempt.worker_deaths, attempt.wait_seconds) == (5, 1, {"hosts": 2.5})
    assert attempt.state == "duplicate"


def test_before_the_manifest_is_known_nothing_is_written(state: MemoryState) -> None:
    with pytest.raises(Conflict), recorded(state, "plan"):
        raise Conflict("other settings")
    assert attempts(state) == []


def test_a_run_leaves_one_record_for_each_stage_and_partition(shared: Any, folder: Path) -> None:
    run = shared.embedded("r", folder)
    shared.reduce(run)
    found = attempts(run.state)
    assert sorted((one.stage, one.partition if one.partition is not None else -1, one.state) for one in found) == [
        *(("embed", partition, "done") for partition in range(len(run.manifest().partitions))),
        ("plan", -1, "done"),
        ("reduce", -1, "done"),
    ]
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert sum(one.bytes_read for one in found) == size
    assert all(one.wait_seconds["storage"] > 0 for one in found)


def test_a_second_request_for_the_same_plan_is_a_second_attempt(
    shared: Any, folder: Path, face: Callable[[int], bytes]
) -> None:
    run = shared.embedded("r", folder)
    plan(run, Settings.of(dataset=str(folder), partition_size=2))
    assert [one.stage for one in attempts(run.state)].count("plan") == 2
    (folder / "another.bmp").write_bytes(face(7))
    plan(run, Settings.of(dataset=str(folder), partition_size=2))
    assert [one.stage for one in attempts(run.state)] == ["plan"]
