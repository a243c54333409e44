"""Targets with bugs in them: what a fuzzer has to find, and so a test of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
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


def _falls_silent(data: bytes) -> bool:
    if data == BROKEN:
        signal.pause()
    return True


def _swells(data: bytes) -> bool:
    return data != BROKEN or len(bytearray(b"x") * (1 << 29)) > 0


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
    "silence": _falls_silent,
    "swelling": _swells,
}
TARGETS = tuple(Numbered(f"planted.{bug}", _none, check, 0, 0) for bug, check in BUGS.items())
