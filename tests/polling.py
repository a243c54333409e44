"""Wait for a condition by polling, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found], seconds: float = 60.0, every: float = 0.05) -> Found:
    """Call a function until its result is true, and return it; fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s; last seen: {found!r}"
        time.sleep(every)
    return found
