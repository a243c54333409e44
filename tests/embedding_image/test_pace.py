"""The rate of the last minute: what was counted in it, whatever was before."""

from __future__ import annotations

import random

import pytest

from meanface.pace import WINDOW_SECONDS, Pace


def test_an_hour_that_ends_slower_ends_at_its_last_minutes_rate() -> None:
    pace, photos = Pace(0.0), 0
    for second in range(1, 3601):
        photos += 10 if second <= 3540 else 1
        rate = pace(float(second), photos)
    assert rate == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_the_rate_is_that_between_two_counts_a_minute_apart_or_more(seed: int) -> None:
    source = random.Random(seed)
    started = source.uniform(0, 1e6)
    pace, told = Pace(started), [(started, 0)]
    for _ in range(300):
        now, photos = told[-1][0] + source.expovariate(1 / 5), told[-1][1] + source.randrange(20)
        before = [one for one in told if one[0] <= now - WINDOW_SECONDS]
        since, counted = before[-1] if before else told[0]
        told.append((now, photos))
        assert pace(now, photos) == (photos - counted) / max(now - since, 1e-3)
