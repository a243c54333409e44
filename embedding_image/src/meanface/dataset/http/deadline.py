"""Time limits for whole answers: a server that sends a byte now and then keeps every limit for its silence.

A photo has one deadline, from the connection to the last byte, redirects and all. A download has a pace: every 16 MiB
come within half an hour, which is 10 kB/s and a minute, and all of it within a day.
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
"""bytes per second that a download brings at least"""
GRACE = 60.0
"""seconds that it may take longer than that"""
WINDOW = 1 << 24
"""bytes over which that is judged"""
DOWNLOAD_SECONDS = 24 * 3600.0
"""longest download, whatever its pace"""

_END: ContextVar[float] = ContextVar("end", default=math.inf)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End all that this thread reads over HTTP in the block after so many seconds, with `TimeoutError`."""
    token = _END.set(min(_END.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _END.reset(token)


def time_left() -> float:
    """Seconds up to this thread's deadline; 0 where it has passed, infinity where there is none."""
    return max(0.0, _END.get() - time.monotonic())


class TimedResponse(HTTPResponse):
    """An answer whose every byte, its headers' too, comes before the deadline of who reads it."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock))


class _Timed(io.RawIOBase):
    """The file of a socket, which waits no longer than up to the deadline."""

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
    """The time that a download may take, over all of its attempts.

    Parameters
    ----------
    end
        of the whole download, on the monotonic clock
    """

    def __init__(self, end: float) -> None:
        self._end = end
        self._begin()

    def _begin(self) -> None:
        self._bytes, self._window_end = 0, time.monotonic() + GRACE + WINDOW / SLOWEST

    def kept(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces; waiting for one ends where there are too few."""
        while True:
            with deadline(min(self._end, self._window_end) - time.monotonic()):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece
            self._bytes += len(piece)
            if self._bytes >= WINDOW:
                self._begin()
