"""Show progress: a bar in a terminal, a log line every ten seconds elsewhere.

Beside a bar, only warnings and errors are logged: they are printed above it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from typing import Self

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from meanface.cli.logging import configure
from meanface.ledger.manifest import Manifest
from meanface.pipeline.progress import Progress as Record
from meanface.pipeline.progress import TimeLeft

log = structlog.get_logger(__name__)

LOG_SECONDS = 10.0


class Display:
    """Shows the progress records of one or many partitions; while it is `quiet`, only errors are printed."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._level = logging.ERROR if quiet else logging.INFO
        self._photos: int | None = None
        self._done: Counter[int] = Counter()
        self._taken: Counter[int] = Counter()
        self._time_left = TimeLeft()
        self._logged = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty() and not quiet:
            self._level = logging.WARNING
            columns = (TextColumn("embed"), BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("embed", total=None, rate="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        if self._level != logging.INFO:
            configure(self._level)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        if self._level != logging.INFO:
            configure()

    def expect(self, manifest: Manifest) -> None:
        """Count up to all photos of the manifest, not to those of one partition."""
        self._photos = manifest.photos

    def show(self, record: Record) -> None:
        """Show the newest record of a partition."""
        self._done[record.partition], self._taken[record.partition] = record.photos_done, record.photos_taken
        photos = self._photos or record.photos
        done, now = self._done.total(), time.monotonic()
        rate, left = self._time_left(now, done - self._taken.total(), photos - done)
        if self._bar:
            text = rate_and_time_left(rate, left) if done < photos else ""
            self._bar.update(self._task, total=photos, completed=done, rate=text)
        elif now - self._logged >= LOG_SECONDS:
            self._logged = now
            known = {} if rate is None else {"photos_per_second": round(rate, 1)}
            known |= {} if left is None else {"seconds_left": round(left)}
            log.info("embedding", photos_done=done, photos=photos, **known)


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
