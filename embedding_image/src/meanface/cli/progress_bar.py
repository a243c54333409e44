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
from rich.table import Table

from meanface.cli.logging import configure
from meanface.ledger.manifest import Manifest
from meanface.pipeline.progress import Progress as Record
from meanface.pipeline.progress import TimeLeft

log = structlog.get_logger(__name__)

LOG_SECONDS = 10.0


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

    def read(self, record: Record, now: float) -> tuple[int, int, float | None, float | None]:
        """Photos that are done, and of how many; the rate and the seconds left, as far as they are known."""
        self._done[record.partition], self._taken[record.partition] = record.photos_done, record.photos_taken
        photos, done = self._photos or record.photos, self._done.total()
        return done, photos, *self._time_left(now, done - self._taken.total(), photos - done)


class Bar:
    """A progress bar on stderr; `table` is its content, for a notebook."""

    def __init__(self) -> None:
        self._meter = Meter()
        columns = (TextColumn("embed"), BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        self._bar = Progress(*columns, console=Console(stderr=True, force_jupyter=False))
        self._task = self._bar.add_task("embed", total=None, rate="")
        self.start, self.stop, self.expect = self._bar.start, self._bar.stop, self._meter.expect

    def show(self, record: Record) -> None:
        """Show the newest record of a partition."""
        done, photos, rate, left = self._meter.read(record, time.monotonic())
        text = rate_and_time_left(rate, left) if done < photos else ""
        self._bar.update(self._task, total=photos, completed=done, rate=text)

    def table(self) -> Table:
        """The bar as it is now."""
        return self._bar.make_tasks_table(self._bar.tasks)


class Display:
    """Shows the progress records of one or many partitions; while it is `quiet`, only errors are printed."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._level = logging.ERROR if quiet else logging.INFO
        self._meter = Meter()
        self._logged = time.monotonic()
        self._bar: Bar | None = None
        if sys.stderr.isatty() and not quiet:
            self._level = logging.WARNING
            self._bar = Bar()

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
        (self._bar or self._meter).expect(manifest)

    def show(self, record: Record) -> None:
        """Show the newest record of a partition."""
        if self._bar:
            self._bar.show(record)
            return
        now = time.monotonic()
        done, photos, rate, left = self._meter.read(record, now)
        if now - self._logged >= LOG_SECONDS:
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
