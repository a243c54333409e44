"""Progress for people: a bar in a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from meanface.ledger.manifest import Manifest
from meanface.pipeline.pace import TimeLeft, duration
from meanface.pipeline.progress import Progress as Record

log = structlog.get_logger(__name__)

LOG_SECONDS = 10.0


class Display:
    """Shows the progress records it is given, of one partition or of many."""

    def __init__(self) -> None:
        self._photos: int | None = None
        self._done: Counter[int] = Counter()
        self._taken: Counter[int] = Counter()
        self._time_left = TimeLeft()
        self._logged = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (TextColumn("embed"), BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("embed", total=None, pace="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def expect(self, manifest: Manifest) -> None:
        """Count up to all photos of a manifest, and not to those of one partition."""
        self._photos = manifest.photos

    def show(self, record: Record) -> None:
        """Take a partition's newest record."""
        self._done[record.partition], self._taken[record.partition] = record.photos_done, record.photos_taken
        photos = self._photos or record.photos
        done, now = self._done.total(), time.monotonic()
        rate, left = self._time_left(now, done - self._taken.total(), photos - done)
        if self._bar:
            self._bar.update(self._task, total=photos, completed=done, pace=pace(rate, left) if done < photos else "")
        elif now - self._logged >= LOG_SECONDS:
            self._logged = now
            known = {} if rate is None else {"photos_per_second": round(rate, 1)}
            known |= {} if left is None else {"seconds_left": round(left)}
            log.info("embedding", photos_done=done, photos=photos, **known)


def pace(rate: float | None, left: float | None) -> str:
    """How fast it goes and how long it takes, where that is known.

    >>> pace(None, None), pace(12.34, 75.0), pace(0.0, None)
    ('estimating', '12.3 photos/s, 1 min 15 s left', '0.0 photos/s')
    """
    if rate is None:
        return "estimating"
    return f"{rate:.1f} photos/s" + ("" if left is None else f", {duration(left)} left")
