"""Reading a partition's photos ahead of the workers: a bounded number of photos and bytes, in order."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from meanface.dataset import PhotoSource, PhotoTooLarge, PhotoUnreadable
from meanface.manifest import PhotoRef
from meanface.outcome import Outcome
from meanface.photoresult import PhotoResult

MAX_BYTES_AHEAD = 256 * 2**20
"""Photos in memory hold at most this much, or are one."""


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
    """The photos at `indices`, in that order, read by `depth` threads.

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
    """
    waiting: deque[tuple[int, Future[Reading]]] = deque()
    held = 0
    with ThreadPoolExecutor(depth, thread_name_prefix="read") as threads:
        for index in indices:
            size = max(photos[index].size, 0)
            while waiting and (len(waiting) >= depth or held + size > MAX_BYTES_AHEAD):
                oldest, reading = waiting.popleft()
                held -= oldest
                yield reading.result()
            waiting.append((size, threads.submit(_read, index, photos[index], source, max_bytes)))
            held += size
        for _, reading in waiting:
            yield reading.result()


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
