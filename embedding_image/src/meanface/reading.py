"""Reading a partition's photos ahead of the workers: a bounded number of photos, bytes, and photos of one host.

A partition is a slice of the sorted list, and so often holds the photos of a few hosts, one after the other. A host
that is slow, or asks for a rest, has its share of the threads and no more: photos of other hosts overtake its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue

from meanface.dataset import PhotoSource, PhotoTooLarge, PhotoUnreadable
from meanface.dataset.hosts import PHOTOS_PER_HOST, host_of
from meanface.manifest import PhotoRef
from meanface.outcome import Outcome
from meanface.photoresult import PhotoResult

MAX_BYTES_AHEAD = 256 * 2**20
"""Photos in memory hold at most this much, or are one; those behind URLs have no size before they are read."""

LOOKAHEAD = 256
"""photos among which one is looked for whose host may be asked"""


@dataclass(frozen=True)
class Reading:
    """A photo of the partition as it was read: its bytes, or what becomes of a photo that has none."""

    index: int
    """its place in the partition"""
    name: str
    data: bytes = b""
    sha256: bytes | None = None
    settled: PhotoResult | None = None

    def __str__(self) -> str:
        return self.name


def read_ahead(
    photos: Sequence[PhotoRef],
    indices: Iterable[int],
    source: PhotoSource,
    *,
    max_bytes: int,
    depth: int,
) -> Iterator[Reading]:
    """The photos at `indices`, in the order of completion, read by `depth` threads.

    Who leaves early closes the source, so that nothing is waited for.

    Parameters
    ----------
    photos
        of the partition
    indices
        which of them, drawn as there is room
    source
        where their bytes are
    max_bytes
        larger photos are `too_large`, and not read
    depth
        photos in reading at most

    Raises
    ------
    Stopped
        if the source was closed meanwhile: nothing is known of the photos that were being read
    """
    queue = _Queue(photos, indices)
    sizes: dict[int, int] = {}
    arrived: SimpleQueue[Future[Reading]] = SimpleQueue()
    with ThreadPoolExecutor(depth, thread_name_prefix="read") as threads:
        try:
            while True:
                while len(sizes) < depth and (index := queue.first()) is not None:
                    size = max(photos[index].size, 0)
                    if sizes and sum(sizes.values()) + size > MAX_BYTES_AHEAD:
                        break
                    queue.take(index)
                    sizes[index] = size
                    threads.submit(_read, index, photos[index], source, max_bytes).add_done_callback(arrived.put)
                if not sizes:
                    return
                reading = arrived.get().result()
                del sizes[reading.index]
                queue.done(reading.index)
                yield reading
        except BaseException:
            source.close()
            raise


class _Queue:
    """Photos that wait to be read, in order, but for those whose host has its share in reading."""

    def __init__(self, photos: Sequence[PhotoRef], indices: Iterable[int]) -> None:
        self._photos, self._indices = photos, iter(indices)
        self._waiting: dict[int, str] = {}
        self._in_reading: Counter[str] = Counter()

    def first(self) -> int | None:
        """The photo that is next; None where there is none, or none whose host may be asked."""
        for index in islice(self._indices, LOOKAHEAD - len(self._waiting)):
            self._waiting[index] = self._host(index)
        may_be_asked = (i for i, host in self._waiting.items() if not host or self._in_reading[host] < PHOTOS_PER_HOST)
        return next(may_be_asked, None)

    def take(self, index: int) -> None:
        """Begin to read one."""
        self._in_reading[self._waiting.pop(index)] += 1

    def done(self, index: int) -> None:
        """End it."""
        self._in_reading[self._host(index)] -= 1

    def _host(self, index: int) -> str:
        return host_of(self._photos[index].source or self._photos[index].name)


def _read(index: int, photo: PhotoRef, source: PhotoSource, max_bytes: int) -> Reading:
    def settled(outcome: Outcome, detail: str) -> Reading:
        return Reading(index, photo.name, settled=PhotoResult(outcome, detail))

    if photo.refusal:
        return settled(Outcome.UNREADABLE, photo.refusal)
    if photo.size > max_bytes:
        return settled(Outcome.TOO_LARGE, f"{photo.size:,} bytes, more than max_bytes={max_bytes:,}")
    try:
        data = source.read(photo, max_bytes)
    except PhotoUnreadable as failure:
        return settled(Outcome.UNREADABLE, str(failure))
    except PhotoTooLarge as failure:
        return settled(Outcome.TOO_LARGE, str(failure))
    return Reading(index, photo.name, data, hashlib.sha256(data).digest())
