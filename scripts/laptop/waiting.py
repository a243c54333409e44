"""Signals and waiting.

A signal sets a flag, and every wait checks it. So Ctrl-C ends a wait at once, but never interrupts
the code between starting a program and saving that it was started.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

_received: list[int] = []
_interrupted = threading.Event()


class Interrupted(Exception):
    """The user or the system asked this program to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def handle_signals() -> None:
    """Stop at SIGINT (Ctrl-C), SIGTERM and SIGHUP (a closed terminal); print a message."""

    def receive(number: int, _frame: object) -> None:
        if not _received:
            os.write(2, b"\nstopping\n")  # print fails if the signal interrupts another print
        _received.append(number)
        _interrupted.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, receive)


def ignore_signals() -> None:
    """Forget received signals and ignore further ones: stopping must not be interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _received.clear()
    _interrupted.clear()


def pause(seconds: float) -> None:
    """Wait so many seconds.

    Raises
    ------
    Interrupted
        as soon as a signal is received, or if one was received before
    """
    if _interrupted.wait(seconds):
        raise Interrupted(_received[0])


def until(done: Callable[[], bool], timeout: float, report: Callable[[float], None] = lambda _: None) -> bool:
    """Wait until `done` returns true; false after the timeout.

    Every seven seconds, `report` is called with the seconds waited so far.
    """
    started = reported = time.monotonic()
    while not done():
        now = time.monotonic()
        if now > started + timeout:
            return False
        if now > reported + 7:
            report(now - started)
            reported = now
        pause(0.1)
    return True
