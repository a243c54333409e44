"""Throughput over a sliding window, and the time left once the throughput is known; pure."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 60.0

SETTLED_SECONDS = 10.0
SETTLED_PHOTOS = 10
"""Since the first result. Before, a rate says more about how the workers started than about the photos."""
FEW_PHOTOS = 3
"""are enough after a whole window: photos may take long"""


class RecentRate:
    """Photos per second over the last minute, or since the start; over more where nothing was counted for longer.

    Counts are kept as they come, those of the last minute and the one before them.

    >>> pace = Pace(0.0)
    >>> pace(10.0, 100), pace(60.0, 600), pace(90.0, 630), pace(120.0, 660)
    (10.0, 10.0, 6.625, 1.0)

    Parameters
    ----------
    started
        time of the start, in seconds
    photos
        that had ended by then
    """

    def __init__(self, started: float, photos: int = 0) -> None:
        self._counts = deque([(started, photos)])

    def __call__(self, now: float, photos: int) -> float:
        """The rate, when by now so many photos have ended."""
        self._counts.append((now, photos))
        while self._counts[1][0] <= now - WINDOW_SECONDS:
            self._counts.popleft()
        since, before = self._counts[0]
        return (photos - before) / max(now - since, 1e-3)


def is_known(seconds: float, photos: int) -> bool:
    """Whether so many photos in so many seconds since the first result make a rate to rely on.

    >>> is_known(2.0, 500), is_known(30.0, 5), is_known(12.0, 40), is_known(60.0, 5)
    (False, False, True, True)
    """
    if seconds >= WINDOW_SECONDS:
        return photos >= FEW_PHOTOS
    return seconds >= SETTLED_SECONDS and photos >= SETTLED_PHOTOS


class TimeLeft:
    """Rate and time left, both None until the rate is known.

    The first results are the start: what came before them was the start of the workers, and how many came at once
    says nothing about how fast more will come.

    >>> left = TimeLeft()
    >>> left(4.0, 1, 99), left(9.0, 11, 89), left(14.0, 21, 79)
    ((None, None), (None, None), (2.0, 39.5))
    """

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._pace: RecentRate | None = None

    def __call__(self, now: float, ended: int, left: int) -> tuple[float | None, float | None]:
        """Photos per second over the last minute, and seconds left; the latter None also while nothing moves.

        Parameters
        ----------
        now
            in seconds
        ended
            photos that have been computed by now; those that were there before do not count
        left
            photos to go
        """
        if self._first is None or self._pace is None:
            if ended:
                self._first, self._pace = (now, ended), RecentRate(now, ended)
            return None, None
        rate = self._pace(now, ended)
        if not is_known(now - self._first[0], ended - self._first[1]):
            return None, None
        return rate, left / rate if rate > 0 else None


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> [duration(seconds) for seconds in (4.2, 75, 7300)]
    ['4 s', '1 min 15 s', '2 h 1 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
