"""Progress for people: a bar in a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from meanface.manifest import Manifest
from meanface.progress import Progress as Record

log = structlog.get_logger(__name__)

LOG_SECONDS = 10.0


class Display:
    """Shows the progress records it is given, of one partition or of many."""

    def __init__(self) -> None:
        self._photos: int | None = None
        self._done: Counter[int] = Counter()
        self._started = self._logged = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (TextColumn("embed"), BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
            self._task = self._bar.add_task("embed", total=None, rate="")

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
        self._done[record.partition] = record.photos_done
        photos = self._photos or record.photos
        done, now = self._done.total(), time.monotonic()
        rate = done / max(now - self._started, 1e-3)
        if self._bar:
            self._bar.update(self._task, total=photos, completed=done, rate=f"{rate:.1f} photos/s")
        elif now - self._logged >= LOG_SECONDS:
            self._logged = now
            log.info("embedding", photos_done=done, photos=photos, photos_per_second=round(rate, 1))
