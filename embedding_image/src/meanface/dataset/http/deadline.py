"""Time limits for whole responses: a server that drips bytes stays within every read timeout.

A photo has one deadline, from the connection to the last byte, redirects included. A download has a
minimum rate: every 16 MiB come within half an hour (10 kB/s and a minute), and all of it within a
day.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from typing_extensions import Buffer

SLOWEST = 10_000
"""minimum rate of a download, in bytes per second"""
GRACE = 60.0
"""seconds that a window may take longer"""
WINDOW = 1 << 24
"""bytes over which the rate is measured"""
DOWNLOAD_SECONDS = 24 * 3600.0
"""longest download, whatever its rate"""

_END: ContextVar[float] = ContextVar("end", default=math.inf)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let HTTP reads of this thread in the block raise `TimeoutError` after so many seconds."""
    token = _END.set(min(_END.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _END.reset(token)


def time_left() -> float:
    """Seconds until this thread's deadline; 0 after it, infinity without one."""
    return max(0.0, _END.get() - time.monotonic())


class TimedResponse(HTTPResponse):
    """A response that is read, headers included, before the deadline of the reading thread."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock))


class _Timed(io.RawIOBase):
    """A socket's file whose reads wait until the deadline at most."""

    def __init__(self, file: io.RawIOBase, sock: socket.socket) -> None:
        self._file, self._sock = file, sock
        self._silence = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def readinto(self, buffer: Buffer) -> int | None:
        left = time_left()
        if not left:
            raise TimeoutError("the deadline has passed")
        if left != math.inf:
            self._sock.settimeout(left if self._silence is None else min(left, self._silence))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class MinimumRate:
    """The minimum rate of a download, over all its attempts; `end` is on the monotonic clock."""

    def __init__(self, end: float) -> None:
        self._end = end
        self._begin()

    def _begin(self) -> None:
        self._bytes, self._window_end = 0, time.monotonic() + GRACE + WINDOW / SLOWEST

    def enforce(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Pass pieces on; waiting for one ends when they are too slow."""
        while True:
            with deadline(min(self._end, self._window_end) - time.monotonic()):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece
            self._bytes += len(piece)
            if self._bytes >= WINDOW:
                self._begin()
