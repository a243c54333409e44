"""The only way in which anything here waits.

A signal sets a flag, and every wait looks at it: Ctrl-C ends a wait at once, but never comes between starting a
program and noting that it was started.
"""

from __future__ import annotations

import os
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
    """Hear SIGINT (Ctrl-C), SIGTERM and SIGHUP (a closed terminal) from now on; the first one is answered at once."""

    def hear(number: int, _frame: object) -> None:
        if not _received:
            os.write(2, b"\nstopping\n")  # print would fail where the signal came in the midst of another print
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


def until(done: Callable[[], bool], seconds: float, tell: Callable[[float], None] = lambda _: None) -> bool:
    """Wait until something is so; False where it is not within these seconds. `tell` gets the seconds every seven."""
    began = told = time.monotonic()
    while not done():
        now = time.monotonic()
        if now > began + seconds:
            return False
        if now > told + 7:
            tell(now - began)
            told = now
        pause(0.1)
    return True
