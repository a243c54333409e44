"""Progress in numbers: photos, rate and time left."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from meanface.pipeline.progress import Progress, TimeLeft

if TYPE_CHECKING:
    from meanface.ledger.manifest import Manifest


class Meter:
    """Counts photos of one or many partitions, and estimates the rate."""

    def __init__(self) -> None:
        self._photos: int | None = None
        self._done: Counter[int] = Counter()
        self._taken: Counter[int] = Counter()
        self._time_left = TimeLeft()

    def expect(self, manifest: Manifest) -> None:
        """Count up to all photos of the manifest, not to those of one partition."""
        self._photos = manifest.photos

    def read(self, record: Progress, now: float) -> tuple[int, int, float | None, float | None]:
        """Photos that are done, and of how many; the rate and the seconds left, as far as they are known."""
        self._done[record.partition], self._taken[record.partition] = record.photos_done, record.photos_taken
        photos, done = self._photos or record.photos, self._done.total()
        return done, photos, *self._time_left(now, done - self._taken.total(), photos - done)


def rate_and_time_left(rate: float | None, left: float | None) -> str:
    """Format the rate and the seconds left, as far as they are known.

    >>> rate_and_time_left(None, None), rate_and_time_left(12.34, 75.0), rate_and_time_left(0.0, None)
    ('estimating', '12.3 photos/s, 1 min 15 s left', '0.0 photos/s')
    """
    if rate is None:
        return "estimating"
    return f"{rate:.1f} photos/s" + ("" if left is None else f", {duration(left)} left")


def duration(seconds: float) -> str:
    """Format a duration.

    >>> [duration(seconds) for seconds in (4.2, 75, 7300)]
    ['4 s', '1 min 15 s', '2 h 1 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
