"""The short run: every saved input, some new ones of each target, and bugs that the fuzzer has to find."""

from __future__ import annotations

import pytest

from fuzz import child, driver
from fuzz.driver import run
from fuzz.families import targets
from fuzz.target import CORPUS, Target, saved


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_nothing_breaks(target: Target) -> None:
    inputs = [path.read_bytes() for path in saved(target.name)]
    inputs += [target.input(0, number) for number in range(target.short)]
    for number, data in enumerate(inputs):
        _, wrong = child.failed(target, data)
        assert wrong is None, f"input {number - len(saved(target.name))}: {wrong and wrong['detail']}\n{data[:2000]!r}"


def test_an_input_is_a_function_of_its_number() -> None:
    for target in targets():
        assert [target.input(7, number) for number in range(20)] == [target.input(7, number) for number in range(20)]
        assert len({target.input(7, number) for number in range(50)}) > 10


def test_inputs_are_small_enough_to_keep() -> None:
    assert all(path.stat().st_size < 2000 for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.long
@pytest.mark.parametrize(
    ("bug", "kind", "limit"),
    [
        ("exception", "ZeroDivisionError in planted.py:_raises", ""),
        ("crash", "killed by SIGSEGV", ""),
        ("hang", "Hang in child.py:_hang", "PROCESSOR_SECONDS"),
        ("c-hang", "hang outside Python's own code", "PROCESSOR_SECONDS"),
        ("leaving", "left the process without an error", ""),
        ("swelling", "memory", ""),
        ("later-swelling", "memory", ""),
        ("silence", "no answer within 1 s", "SILENCE"),
    ],
)
def test_planted_bugs_are_found_and_the_run_goes_on(
    bug: str, kind: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit:
        monkeypatch.setattr(driver, limit, 1.0)
    report = run(f"planted.{bug}", seed=1, first=0, count=12)
    assert {failure.kind for failure in report.failures} == {kind}
    assert [failure.number for failure in report.failures] == [5]
    assert (report.accepted, report.inputs) == (11, 12)
    assert f"make fuzz TARGET=planted.{bug} SEED=1 FIRST=5 COUNT=1" in report.explained()


def test_a_run_without_inputs_is_a_failure() -> None:
    assert [failure.kind for failure in run("planted.hang", seed=1, first=0, count=0).failures] == ["no input was run"]
