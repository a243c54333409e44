"""Read a partition's photos ahead of the workers; photos, bytes and photos per host are limited.

A partition is a slice of the sorted list, so it often has the photos of a few hosts, one after the
other. A slow host, or one that asks for a pause, uses no more than its share of the threads: photos
of other hosts overtake its own.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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


GROUP_PHOTOS = 16
GROUP_BYTES = 4 * 2**20
"""Limits of a group, the photos that the network embeds together; a single photo may be larger."""


@dataclass
class PhotoBytes:
    """A photo that was read, for a worker."""

    index: int
    """in the partition"""
    name: str
    data: bytes
    sha256: bytes
    deaths: int = 0
    """workers that died over it"""
    alone: bool = False
    """whether the other workers must be idle, as a worker's share of the memory was not enough"""


class ReadAhead:
    """Iterator over photos in the order of completion; close it if it is not exhausted.

    For each photo it has the index, and the bytes or the result if they could not be read. Threads
    read while there is room, whether photos are requested or not. Closing also closes the
    source, so that it waits for no photo. `next` raises Stopped if somebody else closed the source:
    the photos in progress have no result.

    Parameters
    ----------
    photos
        of the partition
    indices
        of the photos to read
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
        indices: Sequence[int],
        source: PhotoSource,
        *,
        max_bytes: int,
        at_once: int,
        ahead: int = 0,
    ) -> None:
        self._photos, self._source, self._max_bytes = photos, source, max_bytes
        self._count, self._queue = len(indices), _Queue(photos, indices)
        self._ahead = max(ahead, at_once)
        self._bytes: dict[int, int] = {}  # listed size of photos in progress, actual size of others
        self._read = deque[tuple[int, PhotoBytes | PhotoResult]]()
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

    def __next__(self) -> tuple[int, PhotoBytes | PhotoResult]:
        with self._arrived:
            while not self._read and self._reading and self._failure is None:
                self._arrived.wait()
            if self._failure is None and self._read:
                index, read = self._read.popleft()
                del self._bytes[index]
                self._room.notify()
                return index, read
        self.close()
        raise self._failure or StopIteration

    def groups(self, workers: int, unread: Callable[[int, PhotoResult], None]) -> Iterator[list[PhotoBytes]]:
        """Yield groups of photos for workers; call `unread` with the result of each other photo.

        A group has at most half of a worker's share of what is left, so that all workers end
        together. It waits for its first photo only.
        """
        group: list[PhotoBytes] = []
        left, most = self._count, 0
        for index, read in self:
            if isinstance(read, PhotoResult):
                unread(index, read)
            else:
                if not group:
                    most = max(1, min(GROUP_PHOTOS, left // (2 * workers)))
                group.append(read)
            left -= 1
            full = len(group) == most or sum(len(photo.data) for photo in group) >= GROUP_BYTES
            if group and (full or not self._read):
                yield group
                group = []

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
                read = _read(index, self._photos[index], self._source, self._max_bytes)
                with self._arrived:
                    self._bytes[index] = len(read.data) if isinstance(read, PhotoBytes) else 0
                    self._queue.done(index)
                    self._read.append((index, read))
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

    def __init__(self, photos: Sequence[PhotoRef], indices: Sequence[int]) -> None:
        self._photos, self._later = photos, deque(indices)
        self._waiting: dict[int, str] = {}
        self._in_progress: Counter[str] = Counter()

    def first(self) -> int | None:
        """The next photo; None if there is none, or no host has a free place."""
        while self._later and len(self._waiting) < LOOKAHEAD:
            index = self._later.popleft()
            self._waiting[index] = self._host(index)
        free = (i for i, host in self._waiting.items() if not host or self._in_progress[host] < PHOTOS_PER_HOST)
        return next(free, None)

    @property
    def empty(self) -> bool:
        """Whether no photo waits."""
        return not self._waiting and not self._later

    def take(self, index: int) -> None:
        """Begin to read a photo."""
        self._in_progress[self._waiting.pop(index)] += 1

    def done(self, index: int) -> None:
        """End reading it."""
        self._in_progress[self._host(index)] -= 1

    def _host(self, index: int) -> str:
        return host_of(self._photos[index].source or self._photos[index].name)


def _read(index: int, photo: PhotoRef, source: PhotoSource, max_bytes: int) -> PhotoBytes | PhotoResult:
    try:
        data = source.read(photo, max_bytes)
    except PhotoUnreadable as failure:
        return PhotoResult(Outcome.UNREADABLE, str(failure))
    except PhotoTooLarge as failure:
        return PhotoResult(Outcome.TOO_LARGE, str(failure))
    return PhotoBytes(index, photo.name, data, hashlib.sha256(data).digest())
