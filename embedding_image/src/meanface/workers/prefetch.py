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
from queue import SimpleQueue
from typing import Self

from meanface.dataset import PhotoSource, PhotoTooLarge, PhotoUnreadable
from meanface.dataset.http.hosts import PHOTOS_PER_HOST, host_of
from meanface.dataset.refs import PhotoRef
from meanface.embedder.result import PhotoResult
from meanface.outcome import Outcome
from meanface.tally import TALLY

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
    read while there is room, whether photos are requested or not. Closing early also closes the
    source, which ends waits between attempts; a request in flight ends by its own time limit. `next`
    raises Stopped if another thread closed the source: the photos in progress have no result.

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
        self._at_once, self._ahead = at_once, max(ahead, at_once)
        self._left, self._queue = len(indices), _Queue(photos, indices)
        self._bytes: dict[int, int] = {}  # listed size of photos in progress, actual size of others
        self._read = SimpleQueue[tuple[int, PhotoBytes | PhotoResult | BaseException]]()
        self._closed = False
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="read")
        self._fill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[int, PhotoBytes | PhotoResult]:
        if not self._left:
            self.close()
            raise StopIteration
        index, read = self._read.get()
        if isinstance(read, BaseException):
            self.close()
            raise read
        self._left -= 1
        with self._lock:
            del self._bytes[index]
        self._fill()
        return index, read

    def groups(self, workers: int, unread: Callable[[int, PhotoResult], None]) -> Iterator[list[PhotoBytes]]:
        """Yield groups of photos for workers; call `unread` with the result of each other photo.

        A group has at most half of a worker's share of what is left, so that all workers end
        together; a worker that is alone takes all. It waits for its first photo only.
        """
        group: list[PhotoBytes] = []
        most, shares = 0, 2 * workers if workers > 1 else 1
        for index, read in self:
            if isinstance(read, PhotoResult):
                unread(index, read)
            else:
                if not group:
                    most = max(1, min(GROUP_PHOTOS, (self._left + 1) // shares))
                group.append(read)
            full = len(group) == most or sum(len(photo.data) for photo in group) >= GROUP_BYTES
            if group and (full or self._read.empty()):
                yield group
                group = []

    def close(self) -> None:
        """Stop reading, and wait until the requests in flight end or time out."""
        with self._lock:
            self._closed = True
        if self._left:
            self._source.close()
        self._threads.shutdown()

    def _fill(self) -> None:
        """Begin to read photos while there is room."""
        with self._lock:
            while not self._closed and self._queue.in_progress < self._at_once and len(self._bytes) < self._ahead:
                index = self._queue.first()
                size = 0 if index is None else max(self._photos[index].size, 0)
                if index is None or (self._bytes and sum(self._bytes.values()) + size > MAX_BYTES_AHEAD):
                    return
                self._queue.take(index)
                self._bytes[index] = size
                self._threads.submit(self._serve, index)

    def _serve(self, index: int) -> None:
        """Read a photo; a thread runs it."""
        read: PhotoBytes | PhotoResult | BaseException
        try:
            read = _read(index, self._photos[index], self._source, self._max_bytes)
        except BaseException as failure:
            read = failure
        with self._lock:
            self._bytes[index] = len(read.data) if isinstance(read, PhotoBytes) else 0
            self._queue.done(index)
        self._read.put((index, read))
        self._fill()


class _Queue:
    """Waiting photos in order, except those whose host has its share of photos in progress."""

    def __init__(self, photos: Sequence[PhotoRef], indices: Sequence[int]) -> None:
        self._photos, self._later = photos, deque(indices)
        self._waiting: dict[int, str] = {}
        self._reading: Counter[str] = Counter()
        self.in_progress = 0

    def first(self) -> int | None:
        """The next photo; None if there is none, or no host has a free place."""
        while self._later and len(self._waiting) < LOOKAHEAD:
            index = self._later.popleft()
            self._waiting[index] = self._host(index)
        free = (i for i, host in self._waiting.items() if not host or self._reading[host] < PHOTOS_PER_HOST)
        return next(free, None)

    def take(self, index: int) -> None:
        """Begin to read a photo."""
        self.in_progress += 1
        self._reading[self._waiting.pop(index)] += 1

    def done(self, index: int) -> None:
        """End reading it."""
        self.in_progress -= 1
        self._reading[self._host(index)] -= 1

    def _host(self, index: int) -> str:
        return host_of(self._photos[index].source or self._photos[index].name)


def _read(index: int, photo: PhotoRef, source: PhotoSource, max_bytes: int) -> PhotoBytes | PhotoResult:
    try:
        data = source.read(photo, max_bytes)
    except PhotoUnreadable as failure:
        return PhotoResult(Outcome.UNREADABLE, str(failure))
    except PhotoTooLarge as failure:
        return PhotoResult(Outcome.TOO_LARGE, str(failure))
    TALLY.add("bytes_read", len(data))
    return PhotoBytes(index, photo.name, data, hashlib.sha256(data).digest())
