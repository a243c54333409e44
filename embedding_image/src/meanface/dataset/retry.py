"""Second chances for I/O: which waits, and how many attempts."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

ATTEMPTS = 4
FIRST_WAIT = 0.25
"""seconds before the second attempt; each further wait is four times as long"""

Answer = TypeVar("Answer")


class Transient(Exception):
    """An attempt failed in a way that may pass."""


def wait_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row.

    Spread by half to either side, so that a thousand pods do not return to a struggling server at the same moment.
    """
    return FIRST_WAIT * 4.0 ** (failures - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret


def persistently(call: Callable[[], Answer], stopped: threading.Event) -> Answer:
    """What `call` gives, after up to `ATTEMPTS` attempts; an event cuts the waits short.

    Raises
    ------
    Transient
        of the last attempt
    """
    for failures in range(1, ATTEMPTS):
        try:
            return call()
        except Transient:
            if stopped.wait(wait_after(failures)):
                raise
    return call()
