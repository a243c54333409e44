"""What this process did and waited for: bytes, waits, dead workers; for its metrics."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Wait = Literal["hosts", "redis", "storage"]
WAITS: tuple[Wait, ...] = ("hosts", "redis", "storage")


class Tally:
    """Sums by name, which only grow; thread-safe.

    Several threads that wait at once add up.

    >>> tally = Tally()
    >>> tally.add("bytes_read", 3)
    >>> before = tally.sums()
    >>> tally.add("bytes_read", 4)
    >>> tally.sums() - before
    Counter({'bytes_read': 4})
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums = Counter[str]()

    def add(self, name: str, amount: float) -> None:
        """Add to one sum."""
        with self._lock:
            self._sums[name] += amount  # type: ignore[assignment]  # seconds are floats

    def sums(self) -> Counter[str]:
        """All sums since the process started."""
        with self._lock:
            return self._sums.copy()

    @contextmanager
    def waiting(self, wait: Wait) -> Iterator[None]:
        """Add the seconds of the block."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.add(wait, time.monotonic() - started)


TALLY = Tally()
"""of this process"""
