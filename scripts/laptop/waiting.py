"""The only way in which anything here waits.

A signal sets a flag, and every wait looks at it: Ctrl-C ends a wait at once, but never comes between starting a
program and noting that it was started.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

_received: list[int] = []
_heard = threading.Event()


class Stopped(Exception):
    """The user, or the system, asked this program to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def listen() -> None:
    """Hear SIGINT (Ctrl-C), SIGTERM and SIGHUP (a closed terminal) from now on."""

    def hear(number: int, _frame: object) -> None:
        _received.append(number)
        _heard.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hear)


def deaf() -> None:
    """Forget what was heard and hear no more: the stopping itself is not to be stopped."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _received.clear()
    _heard.clear()


def pause(seconds: float) -> None:
    """Wait.

    Raises
    ------
    Stopped
        at once when a signal comes, or has come
    """
    if _heard.wait(seconds):
        raise Stopped(_received[0])


def until(done: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Wait until something is so; False where it is not within these seconds."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        pause(every)
    return True
