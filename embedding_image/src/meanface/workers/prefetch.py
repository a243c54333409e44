"""Read a partition's photos ahead of the workers; photos, bytes and photos per host are limited.

A partition is a slice of the sorted list, so it often has the photos of a few hosts, one after the
other. A slow host, or one that asks for a pause, uses no more than its share of the threads: photos
of other hosts overtake its own.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Self

from meanface.dataset import PhotoSource, PhotoTooLarge, PhotoUnreadable
from meanface.dataset.http.hosts import PHOTOS_PER_HOST, host_of
from meanface.dataset.refs import PhotoRef
from meanface.embedder.result import PhotoResult
from meanface.outcome import Outcome

MAX_BYTES_AHEAD = 256 * 2**20
"""Most bytes of photos in memory; one may be larger. URLs have no size before they are read."""

LOOKAHEAD = 256
"""waiting photos that are searched for one whose host has a free place"""


@dataclass(frozen=True)
class Reading:
    """A photo of the partition after reading: its bytes, or its result if reading failed."""

    index: int
    """in the partition"""
    name: str
    data: bytes = b""
    sha256: bytes | None = None
    result: PhotoResult | None = None


class ReadAhead:
    """Iterator over photos in the order of completion; close it if it is not exhausted.

    Threads read while there is room, whether photos are requested or not. Closing also closes the
    source, so that it waits for no photo. `next` raises Stopped if somebody else closed the source:
    the photos in progress have no result.

    Parameters
    ----------
    photos
        of the partition
    indices
        of the photos to read; drawn while there is room
    max_bytes
        larger photos are `too_large`, and not read
    at_once
        maximum number of photos in progress
    ahead
        maximum number of photos in progress or waiting for `next`; at least `at_once`
    """

    def __init__(
        self,
        photos: Sequence[PhotoRef],
        indices: Iterable[int],
        source: PhotoSource,
        *,
        max_bytes: int,
        at_once: int,
        ahead: int = 0,
    ) -> None:
        self._photos, self._source, self._max_bytes = photos, source, max_bytes
        self._queue = _Queue(photos, indices)
        self._ahead = max(ahead, at_once)
        self._bytes: dict[int, int] = {}  # listed size of photos in progress, actual size of others
        self._read = deque[Reading]()
        self._failure: BaseException | None = None
        self._closed = False
        lock = threading.Lock()
        self._room, self._arrived = threading.Condition(lock), threading.Condition(lock)
        self._reading = at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="read")
        for _ in range(at_once):
            self._threads.submit(self._serve)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Reading:
        with self._arrived:
            while not self._read and self._reading and self._failure is None:
                self._arrived.wait()
            if self._failure is None and self._read:
                reading = self._read.popleft()
                del self._bytes[reading.index]
                self._room.notify()
                return reading
        self.close()
        raise self._failure or StopIteration

    @property
    def ready(self) -> bool:
        """Whether `next` has a photo at once."""
        return bool(self._read)

    def close(self) -> None:
        """Stop reading."""
        with self._room:
            self._closed = True
            self._room.notify_all()
        if self._reading:
            self._source.close()
        self._threads.shutdown()

    def _serve(self) -> None:
        """Read photos until none is left; a thread runs it."""
        try:
            while (index := self._next()) is not None:
                reading = _read(index, self._photos[index], self._source, self._max_bytes)
                with self._arrived:
                    self._bytes[index] = len(reading.data)
                    self._queue.done(index)
                    self._read.append(reading)
                    self._arrived.notify()
        except BaseException as failure:
            self._failure = failure
        finally:
            with self._arrived:
                self._reading -= 1
                self._arrived.notify()
                self._room.notify()

    def _next(self) -> int | None:
        """Wait for room; index of the next photo, None at the end."""
        with self._room:
            while not self._closed and self._failure is None:
                index = self._queue.first() if len(self._bytes) < self._ahead else None
                if index is not None and self._has_room(size := max(self._photos[index].size, 0)):
                    self._queue.take(index)
                    self._bytes[index] = size
                    if len(self._bytes) < self._ahead:
                        self._room.notify()  # there may be room for another thread's photo
                    return index
                if self._queue.empty:
                    return None
                self._room.wait()
        return None

    def _has_room(self, size: int) -> bool:
        return not self._bytes or sum(self._bytes.values()) + size <= MAX_BYTES_AHEAD


class _Queue:
    """Waiting photos in order, except those whose host has its share of photos in progress."""

    def __init__(self, photos: Sequence[PhotoRef], indices: Iterable[int]) -> None:
        self._photos, self._indices = photos, iter(indices)
        self._waiting: dict[int, str] = {}
        self._drawn_all = False
        self._in_progress: Counter[str] = Counter()

    def first(self) -> int | None:
        """The next photo; None if there is none, or no host has a free place."""
        if not self._drawn_all and (room := LOOKAHEAD - len(self._waiting)):
            drawn = {index: self._host(index) for index in islice(self._indices, room)}
            self._waiting |= drawn
            self._drawn_all = len(drawn) < room
        free = (i for i, host in self._waiting.items() if not host or self._in_progress[host] < PHOTOS_PER_HOST)
        return next(free, None)

    @property
    def empty(self) -> bool:
        """Whether no photo waits."""
        return self._drawn_all and not self._waiting

    def take(self, index: int) -> None:
        """Begin to read a photo."""
        self._in_progress[self._waiting.pop(index)] += 1

    def done(self, index: int) -> None:
        """End reading it."""
        self._in_progress[self._host(index)] -= 1

    def _host(self, index: int) -> str:
        return host_of(self._photos[index].source or self._photos[index].name)


def _read(index: int, photo: PhotoRef, source: PhotoSource, max_bytes: int) -> Reading:
    def failed(outcome: Outcome, detail: str) -> Reading:
        return Reading(index, photo.name, result=PhotoResult(outcome, detail))

    if photo.refusal:
        return failed(Outcome.UNREADABLE, photo.refusal)
    if photo.size > max_bytes:
        return failed(Outcome.TOO_LARGE, f"{photo.size:,} bytes, more than max_bytes={max_bytes:,}")
    try:
        data = source.read(photo, max_bytes)
    except PhotoUnreadable as failure:
        return failed(Outcome.UNREADABLE, str(failure))
    except PhotoTooLarge as failure:
        return failed(Outcome.TOO_LARGE, str(failure))
    return Reading(index, photo.name, data, hashlib.sha256(data).digest())
