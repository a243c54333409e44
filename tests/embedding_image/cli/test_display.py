"""What people see of a run's progress: counts at once, rate and time left once they are known."""

from __future__ import annotations

import random
from typing import Any

import pytest
from structlog.testing import capture_logs

from meanface.cli import display
from meanface.cli.display import Display
from meanface.pipeline.progress import Progress


def record(partition: int, done: int, taken: int = 0, **fields: Any) -> Progress:
    values: dict[str, Any] = {
        "partition": partition,
        "state": "embedding",
        "photos": 500,
        "photos_done": done,
        "photos_taken": taken,
        "outcomes": {},
        "photos_per_second": 0.0,
        "recent_photos_per_second": 0.0,
        "eta_seconds": None,
        "attempt": 0,
        "host": "here",
        "started_at": 0.0,
        "updated_at": 0.0,
        "failures_named": 0,
    }
    return Progress(**values | fields)


class Clock:
    """Stands in for the monotonic clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(display, "time", clock)
    return clock


def lines(clock: Clock, counts: list[tuple[float, int, int]]) -> list[Any]:
    """Log lines of (time, photos done, photos taken) of one partition."""
    clock.now = 1000.0
    shown = Display()
    with capture_logs() as found:
        for at, done, taken in counts:
            clock.now = 1000.0 + at
            shown.show(record(0, done, taken))
    return list(found)


def test_a_line_has_no_time_left_before_the_rate_is_known(clock: Clock) -> None:
    first, second = lines(clock, [(12.0, 1, 0), (16.0, 21, 0), (24.0, 61, 0)])
    assert (first["photos_done"], first["photos"]) == (1, 500)
    assert not first.keys() & {"photos_per_second", "seconds_left"}
    assert (second["photos_per_second"], second["seconds_left"]) == (5.0, 88)


@pytest.mark.parametrize("seed", range(10))
def test_photos_of_an_earlier_attempt_do_not_raise_the_rate(clock: Clock, seed: int) -> None:
    taken = random.Random(seed).randrange(400)
    counts = [(float(at), 2 * max(0, at - 3)) for at in range(26)]
    plain = lines(clock, [(at, done, 0) for at, done in counts])
    resumed = lines(clock, [(at, taken + done, taken) for at, done in counts])
    assert [one.get("photos_per_second") for one in plain] == [one.get("photos_per_second") for one in resumed]
    assert resumed[-1]["photos_per_second"] == 2.0
    assert resumed[-1]["seconds_left"] == pytest.approx((500 - resumed[-1]["photos_done"]) / 2, abs=0.5)
