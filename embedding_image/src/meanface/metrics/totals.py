"""Totals over runs that only grow: counters for Prometheus; pure.

A run's own sums grow while it works, and vanish when its records expire. The checkpoint has the totals, and for each
run what they contain of it. Both are stored in one step, so what was counted is never counted again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from pydantic import Field

from meanface.storage.record import Record

MOST_SERIES = 100
"""series with a metric of their own: those with the latest successes"""

FORGOTTEN_SECONDS = 90 * 24 * 60 * 60.0
"""A series without a success for so long has no metric any more."""

Sums = dict[str, int | float]
"""by metric and label, such as `photos/ok`"""


class Counted(Record):
    """What the totals contain of one run."""

    plan: str
    """digest of the manifest; another plan starts from zero"""
    sums: Sums


class Checkpoint(Record):
    """The exporter's own record."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    totals: Sums = Field(default_factory=dict)
    runs: dict[str, Counted] = Field(default_factory=dict)
    series: dict[str, float] = Field(default_factory=dict)
    """series -> when a run of it last succeeded, in seconds since 1970"""


class Observed(NamedTuple):
    """A run's sums as its records give them now."""

    plan: str
    sums: Sums
    series: str | None = None
    succeeded_at: float = 0.0


def advance(
    checkpoint: Checkpoint, observed: Mapping[str, Observed], present: Collection[str], now: float = 0.0
) -> Checkpoint:
    """Add to the totals what the observed runs have beyond the checkpoint.

    `present` are all runs that have records. A run that is present and not observed keeps what was counted of it.
    `now` is in seconds since 1970.

    >>> first = advance(Checkpoint(), {"monday": Observed("p", {"photos/ok": 3})}, {"monday"})
    >>> second = advance(first, {"monday": Observed("p", {"photos/ok": 5})}, {"monday"})
    >>> second.totals, advance(second, {}, {}).totals
    ({'photos/ok': 5}, {'photos/ok': 5})
    """
    totals = dict(checkpoint.totals)
    runs = {run: counted for run, counted in checkpoint.runs.items() if run in present}
    series = dict(checkpoint.series)
    for run, seen in observed.items():
        before = runs.get(run)
        counted = dict(before.sums) if before is not None and before.plan == seen.plan else {}
        for name, value in seen.sums.items():
            known = counted.get(name, 0)
            if value > known:  # less, if Redis lost its last second of writes; the work is done again
                totals[name] = totals.get(name, 0) + value - known
                counted[name] = value
        runs[run] = Counted(plan=seen.plan, sums=counted)
        if seen.series is not None:
            series[seen.series] = max(series.get(seen.series, 0.0), seen.succeeded_at)
    recent = {name: at for name, at in series.items() if now - at < FORGOTTEN_SECONDS}
    latest = sorted(recent, key=lambda name: (-recent[name], name))[:MOST_SERIES]
    return Checkpoint(totals=totals, runs=runs, series={name: recent[name] for name in latest})
