"""Records of attempts: what each attempt at a stage did, for metrics. They have no part in results.

An attempt keeps its own field, so a later attempt does not replace it. A killed attempt leaves its last record, at
most `INTERVAL_SECONDS` old.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from meanface.errors import Conflict, MeanfaceError
from meanface.state import State
from meanface.storage.record import Record
from meanface.tally import TALLY, WAITS, Wait

Stage = Literal["plan", "embed", "reduce"]
STAGES: tuple[Stage, ...] = ("plan", "embed", "reduce")
End = Literal["running", "done", "duplicate", "conflict", "failed"]

INTERVAL_SECONDS = 5.0


class Attempt(Record):
    """What one attempt did so far; times are in seconds since 1970."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    stage: Stage
    partition: NonNegativeInt | None = None
    """of `embed`"""
    state: End = "running"
    started_at: float
    updated_at: float
    seconds: NonNegativeFloat = 0.0
    bytes_read: NonNegativeInt = 0
    """of photos"""
    wait_seconds: dict[Wait, NonNegativeFloat] = Field(default_factory=dict)
    worker_deaths: NonNegativeInt = 0
    series: str | None = None
    """the run's series, in the attempt at `reduce`"""


class Recorder:
    """Writes the record of one attempt, best effort, as progress is written."""

    def __init__(self, state: State, stage: Stage, partition: int | None = None) -> None:
        self._state, self._stage, self._partition = state, stage, partition
        self._field = f"{stage}/{'' if partition is None else partition}/{uuid.uuid4().hex[:12]}"
        self._before, self._started_at, self._started = TALLY.sums(), time.time(), time.monotonic()
        self._written = self._started
        self.plan: str | None = None
        """digest of the manifest; nothing is written before it is known"""
        self.end: End = "done"
        """how the attempt ends, unless it raises an error"""
        self.series: str | None = None

    def begin(self, plan: str) -> None:
        """Write the first record, now that the manifest is known."""
        self.plan = plan
        self._write("running")

    def update(self) -> None:
        """Write if the last record is `INTERVAL_SECONDS` old."""
        if time.monotonic() - self._written >= INTERVAL_SECONDS:
            self._write("running")

    def finish(self, end: End) -> None:
        """Write the last record."""
        self._write(end)

    def _write(self, end: End) -> None:
        if self.plan is None:
            return
        self._written = time.monotonic()
        sums = TALLY.sums()
        sums.subtract(self._before)
        record = Attempt(
            stage=self._stage,
            partition=self._partition,
            state=end,
            started_at=self._started_at,
            updated_at=time.time(),
            seconds=round(self._written - self._started, 3),
            bytes_read=int(sums["bytes_read"]),
            wait_seconds={one: round(sums[one], 3) for one in WAITS if sums[one]},
            worker_deaths=int(sums["worker_deaths"]),
            series=self.series,
        )
        self._state.put_attempt(self._field, record.model_dump_json(by_alias=True), self.plan)


@contextmanager
def recorded(state: State, stage: Stage, partition: int | None = None) -> Iterator[Recorder]:
    """Record the attempt in the block; its errors pass."""
    recorder = Recorder(state, stage, partition)
    try:
        yield recorder
    except Conflict:
        recorder.finish("conflict")
        raise
    except MeanfaceError:
        recorder.finish("failed")
        raise
    recorder.finish(recorder.end)
