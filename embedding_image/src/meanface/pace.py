"""How fast photos end now: a rate over the last minute, from a count that is told from time to time; pure."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 60.0


class Pace:
    """Photos per second over the last minute, or since the start; over more where nothing was told for longer.

    Counts are kept as they are told, those of the last minute and the one before them.

    >>> pace = Pace(0.0)
    >>> pace(10.0, 100), pace(60.0, 600), pace(90.0, 630), pace(120.0, 660)
    (10.0, 10.0, 6.625, 1.0)

    Parameters
    ----------
    started
        time of the start, in seconds, when no photo had ended
    """

    def __init__(self, started: float) -> None:
        self._told = deque([(started, 0)])

    def __call__(self, now: float, photos: int) -> float:
        """The rate, when by now so many photos have ended since the start."""
        self._told.append((now, photos))
        while self._told[1][0] <= now - WINDOW_SECONDS:
            self._told.popleft()
        since, before = self._told[0]
        return (photos - before) / max(now - since, 1e-3)
