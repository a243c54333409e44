"""The rate of the last minute, whatever the rate was before; and the time left, once a rate is known."""

from __future__ import annotations

import random

import pytest

from meanface.pipeline.progress import (
    FEW_PHOTOS,
    SETTLED_PHOTOS,
    SETTLED_SECONDS,
    WINDOW_SECONDS,
    RecentRate,
    TimeLeft,
)


def test_the_rate_is_that_of_the_last_minute() -> None:
    pace, photos = RecentRate(0.0), 0
    for second in range(1, 3601):
        photos += 10 if second <= 3540 else 1
        rate = pace(float(second), photos)
    assert rate == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_the_rate_is_that_between_two_counts_a_minute_apart_or_more(seed: int) -> None:
    source = random.Random(seed)
    started = source.uniform(0, 1e6)
    pace, told = RecentRate(started), [(started, 0)]
    for _ in range(300):
        now, photos = told[-1][0] + source.expovariate(1 / 5), told[-1][1] + source.randrange(20)
        before = [one for one in told if one[0] <= now - WINDOW_SECONDS]
        since, counted = before[-1] if before else told[0]
        told.append((now, photos))
        assert pace(now, photos) == (photos - counted) / max(now - since, 1e-3)


def arrivals(source: random.Random, photos: int, rate: float, start: float, burst: int) -> list[tuple[float, int]]:
    """When how many photos have ended: bursts of a steady rate behind the start of the workers."""
    found, now, ended = [], start, 0
    while ended < photos:
        ended = min(photos, ended + burst)
        found.append((now, ended))
        now += burst / rate * source.uniform(0.8, 1.2)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_time_left_is_right_within_a_half_once_there_is_one(seed: int) -> None:
    """At a steady rate, whatever the start of the workers takes and however many photos end at once."""
    source = random.Random(seed)
    rate = 10 ** source.uniform(-1, 3)
    photos, burst = max(20, round(rate * source.uniform(30, 600))), source.randrange(1, 17)
    events = arrivals(source, photos, rate, source.uniform(0, 30), burst)
    time_left, told = TimeLeft(), []
    for now, ended in events:
        _, left = time_left(now, ended, photos - ended)
        if left is not None:
            told.append((left, events[-1][0] - now))
    slack = 2 * burst / rate  # what is in hand at the moment
    assert [(left, true) for left, true in told if not 0.6 * true - slack <= left <= 1.5 * true + slack] == []
    assert told or events[-1][0] - events[0][0] < 2 * WINDOW_SECONDS


@pytest.mark.parametrize("seed", range(20))
def test_rate_and_time_left_are_unknown_at_first(seed: int) -> None:
    source = random.Random(seed)
    first, ended, now, time_left = source.uniform(0, 100), source.randrange(1, 17), 0.0, TimeLeft()
    assert time_left(first / 2, 0, 1000) == (None, None)
    began, now = ended, first
    while now - first < SETTLED_SECONDS:
        assert time_left(now, ended, 1000) == (None, None)
        now, ended = now + source.uniform(0, 2), ended + source.randrange(100)
    few = TimeLeft()
    for number in range(SETTLED_PHOTOS):
        assert few(first + number * (WINDOW_SECONDS - 1) / SETTLED_PHOTOS, began + number, 1000) == (None, None)


def test_a_run_of_eleven_seconds_never_estimates_minutes() -> None:
    """Its first photo ends after 4 s: at that photo's rate, the 400 would take 26 minutes."""
    time_left = TimeLeft()
    assert [time_left(4 + second, 1 + 57 * second, 399 - 57 * second) for second in range(8)] == [(None, None)] * 8


def test_after_a_whole_minute_a_few_photos_make_a_rate() -> None:
    for photos, expected in ((FEW_PHOTOS - 1, (None, None)), (FEW_PHOTOS, (FEW_PHOTOS / WINDOW_SECONDS, 600.0))):
        time_left = TimeLeft()
        time_left(5.0, 1, 100)
        assert time_left(5.0 + WINDOW_SECONDS, 1 + photos, 30) == expected


def test_a_run_without_progress_has_a_rate_but_no_time_left() -> None:
    time_left = TimeLeft()
    for second in range(1, 30):
        time_left(float(second), 10 * second, 1000)
    assert time_left(200.0, 290, 1000) == (0.0, None)
