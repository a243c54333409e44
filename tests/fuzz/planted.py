"""Targets with bugs in them: what a fuzzer has to find, and so a test of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import repeat
from random import Random

from fuzz.target import Target

BROKEN = b"5"
"""The input that meets the bug."""


def _raises(data: bytes) -> bool:
    return 1 / (data != BROKEN) > 0


def _crashes(data: bytes) -> bool:
    if data == BROKEN:
        os.kill(os.getpid(), signal.SIGSEGV)
    return True


def _hangs(data: bytes) -> bool:
    while data == BROKEN:
        pass
    return True


def _hangs_in_c(data: bytes) -> bool:
    return data != BROKEN or all(repeat(True))  # no handler of a signal runs meanwhile


def _leaves(data: bytes) -> bool:
    if data == BROKEN:
        os._exit(0)
    return True


def _falls_silent(data: bytes) -> bool:
    if data == BROKEN:
        signal.pause()
    return True


def _swells(data: bytes) -> bool:
    return data != BROKEN or len(bytearray(b"x") * (1 << 29)) > 0


def _swells_after_others(data: bytes) -> bool:
    """By what another input has taken before it, so that a peak of all time does not show it."""
    size = {b"3": 200 << 20, BROKEN: 400 << 20}.get(data, 0)
    return len(bytearray(b"x") * size) >= 0


def _none(_: Random) -> bytes:
    raise NotImplementedError("inputs are numbers here")


class Numbered(Target):
    """Inputs that are their own numbers."""

    def input(self, _seed: int, number: int) -> bytes:
        """The number."""
        return str(number).encode()


BUGS: dict[str, Callable[[bytes], bool]] = {
    "exception": _raises,
    "crash": _crashes,
    "hang": _hangs,
    "c-hang": _hangs_in_c,
    "leaving": _leaves,
    "silence": _falls_silent,
    "swelling": _swells,
    "later-swelling": _swells_after_others,
}
TARGETS = tuple(Numbered(f"planted.{bug}", _none, check, 0, 0) for bug, check in BUGS.items())
