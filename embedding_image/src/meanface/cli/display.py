"""Show progress: a bar in a terminal, a log line every ten seconds elsewhere.

Beside a bar, only warnings and errors are logged: they are printed above it.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Self

import structlog

from meanface.cli.logging import configure
from meanface.cli.meter import Meter
from meanface.ledger.manifest import Manifest
from meanface.pipeline.progress import Progress

if TYPE_CHECKING:
    from meanface.cli.progress_bar import Bar

log = structlog.get_logger(__name__)

LOG_SECONDS = 10.0


class Display:
    """Shows the progress records of one or many partitions; while it is `quiet`, only errors are printed."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._level = logging.ERROR if quiet else logging.INFO
        self._meter = Meter()
        self._logged = time.monotonic()
        self._bar: Bar | None = None
        if sys.stderr.isatty() and not quiet:
            from meanface.cli.progress_bar import Bar

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

    def show(self, record: Progress) -> None:
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
