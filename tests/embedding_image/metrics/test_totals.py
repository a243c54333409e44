"""Totals equal what the runs did, whatever is observed when, restarts, expires, or is planned again."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from meanface.metrics.totals import FORGOTTEN_SECONDS, MOST_SERIES, Checkpoint, Observed, advance

GROWTH = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["photos/ok", "faces"]), st.integers(0, 9)))


def restarted(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint as another process reads it."""
    return Checkpoint.parsed(checkpoint.model_dump_json(by_alias=True), "a checkpoint")


@given(growth=GROWTH, seen=st.sets(st.integers(0, 50)))
def test_nothing_is_lost_or_counted_twice(growth: list[tuple[str, str, int]], seen: set[int]) -> None:
    """Whether each step is observed, some are, or only the last."""
    runs: dict[str, Counter[str]] = {}
    checkpoint = Checkpoint()
    for step, (run, name, more) in enumerate(growth):
        runs.setdefault(run, Counter())[name] += more
        if step in seen:
            observed = {run: Observed("p", dict(sums)) for run, sums in runs.items()}
            for _ in range(2):
                checkpoint = restarted(advance(checkpoint, observed, observed.keys()))
    observed = {run: Observed("p", dict(sums)) for run, sums in runs.items()}
    checkpoint = advance(checkpoint, observed, observed.keys())
    assert Counter(checkpoint.totals) == sum(runs.values(), Counter())
    assert advance(checkpoint, {}, ()).totals == checkpoint.totals


@given(values=st.lists(st.integers(0, 99), min_size=1))
def test_totals_never_shrink(values: list[int]) -> None:
    checkpoint, before = Checkpoint(), 0
    for value in values:
        checkpoint = advance(checkpoint, {"r": Observed("p", {"faces": value})}, {"r"})
        assert checkpoint.totals.get("faces", 0) >= before
        before = int(checkpoint.totals.get("faces", 0))
    assert before == max(values)


def test_another_plan_starts_from_zero() -> None:
    checkpoint = Checkpoint()
    for plan, faces in (("p", 5), ("q", 3), ("q", 4)):
        checkpoint = advance(checkpoint, {"r": Observed(plan, {"faces": faces})}, {"r"})
    assert checkpoint.totals == {"faces": 9}


def test_a_run_that_cannot_be_read_for_a_while_is_not_counted_again() -> None:
    first = advance(Checkpoint(), {"r": Observed("p", {"faces": 5})}, {"r"})
    unread = advance(first, {}, {"r"})
    assert advance(unread, {"r": Observed("p", {"faces": 6})}, {"r"}).totals == {"faces": 6}


def test_the_success_of_a_series_outlasts_its_runs_and_few_series_have_one() -> None:
    observed = {f"r{day}": Observed("p", {}, "daily", float(day)) for day in (3, 9, 5)}
    checkpoint = advance(advance(Checkpoint(), observed, observed), {}, ())
    assert checkpoint.series == {"daily": 9.0}
    assert advance(checkpoint, {}, (), 9.0 + FORGOTTEN_SECONDS).series == {}
    many = {f"r{day}": Observed("p", {}, f"s{day}", float(day)) for day in range(1, 300)}
    kept = advance(checkpoint, many, many).series
    assert len(kept) == MOST_SERIES
    assert min(kept.values()) == 300 - MOST_SERIES
