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

    def __init__(self, message: str, rest: float = 0.0) -> None:
        super().__init__(message)
        self.rest = rest
        """seconds for which the server asks to be left alone"""


class Stopped(Exception):
    """Nobody waits for the answer any more. Says nothing of what was asked for."""


def wait_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row.

    Spread by half to either side, so that a thousand pods do not return to a struggling server at the same moment.
    """
    return FIRST_WAIT * 4.0 ** (failures - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret


def persistently(call: Callable[[], Answer], stopped: threading.Event) -> Answer:
    """What `call` gives, after up to `ATTEMPTS` attempts.

    Raises
    ------
    Transient
        of the last attempt
    Stopped
        whatever becomes of a call that an event overtakes: connections may have been closed under it
    """
    failures = 0
    while not stopped.is_set():
        try:
            answer = call()
        except Exception as failure:
            failures += 1
            passing = isinstance(failure, Transient) and failures < ATTEMPTS
            if not passing and not stopped.is_set():
                raise
            stopped.wait(wait_after(failures))
        else:
            if not stopped.is_set():
                return answer
    raise Stopped
