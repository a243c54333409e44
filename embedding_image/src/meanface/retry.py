"""Retry I/O after transient failures: number of attempts, and the waits between them."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from meanface.tally import TALLY

Answer = TypeVar("Answer")


class Backoff(NamedTuple):
    """Growing random waits, so that a thousand pods do not return to an overloaded server at the same moment."""

    first: float
    """seconds after the first failure"""
    factor: float
    longest: float = math.inf
    spread: tuple[float, float] = (0.5, 1.5)
    """the minimum and maximum fraction of a wait that is actually waited"""

    def after(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row."""
        wait = min(self.longest, self.first * self.factor ** min(failures - 1, 10))
        return wait * random.uniform(*self.spread)  # noqa: S311 - not a secret


ATTEMPTS = 4
WAITS = Backoff(first=0.25, factor=4.0)
"""between the attempts to read a photo or to download an archive"""


class Transient(Exception):
    """An attempt failed, and another one may succeed.

    `retry_after` is the number of seconds for which the server asks clients to wait.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Stopped(Exception):
    """The reader was closed; the photo being read has no outcome."""


def with_retries(call: Callable[[], Answer], stopped: threading.Event) -> Answer:
    """Call until it succeeds, up to `ATTEMPTS` times while it raises `Transient`; the last failure is raised.

    Raises `Stopped` once the event is set, whatever the call returns or raises: nobody waits for it any more. A call
    under way is not broken off.
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
            with TALLY.waiting("hosts"):
                stopped.wait(WAITS.after(failures))
        else:
            if not stopped.is_set():
                return answer
    raise Stopped
