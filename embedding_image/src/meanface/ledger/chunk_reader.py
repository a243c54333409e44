"""Read the ledger of a committed partition back, chunk by chunk."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial

from meanface.errors import DamagedRecord
from meanface.ledger.chunk import Chunk
from meanface.ledger.manifest import Partition
from meanface.storage.layout import PlanFiles

READ_AHEAD = 16
"""chunks; a bucket answers in tens of milliseconds"""


def chunks_of(files: PlanFiles, partitions: Iterable[Partition]) -> Iterator[Chunk]:
    """All chunks of some partitions, in order; several are read at the same time.

    Raises
    ------
    DamagedRecord
        naming a file that is missing or damaged
    """
    places = ((partition.index, number) for partition in partitions for number in range(partition.chunks))
    with ThreadPoolExecutor(READ_AHEAD, thread_name_prefix="ledger") as threads:
        ahead = deque[Future[Chunk]]()
        try:
            for partition, number in places:
                ahead.append(threads.submit(chunk_at, files, partition, number))
                if len(ahead) == READ_AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for chunk in ahead:
                chunk.cancel()


def chunk_at(files: PlanFiles, partition: int, number: int) -> Chunk:
    """One chunk of a partition that is committed.

    Raises
    ------
    DamagedRecord
        naming its file, if it is missing or damaged
    """
    path, run = files.chunk(partition, number), files.run
    try:
        return Chunk.from_parquet(run.read(path))
    except FileNotFoundError:
        raise DamagedRecord(
            f"{run.url}/{path} is missing, although partition {partition} is committed: embed it again"
        ) from None
    except DamagedRecord as damage:
        raise DamagedRecord(f"{run.url}/{path}: {damage}: embed partition {partition} again") from None


def photo_names(
    positions: Iterable[int], partitions: Iterable[Partition], read: Callable[[int, int], Chunk]
) -> dict[int, str]:
    """Names of the photos at some places; only the chunks that hold them are read.

    Parameters
    ----------
    positions
        among all photos of the run
    partitions
        of the manifest
    read
        the chunk of a partition, by both numbers
    """
    names: dict[int, str] = {}
    start, wanted = 0, sorted(set(positions))
    for partition in partitions:
        here = [position for position in wanted if start <= position < start + partition.photos]
        chunk = cache(partial(read, partition.index))
        for number in sorted({_chunk_with(position, partition.chunks, chunk) for position in here}):
            photos = chunk(number).photos()
            found = dict(zip(photos["position"].to_pylist(), photos["photo"].to_pylist(), strict=True))
            names |= {position: found[position] for position in here if position in found}
        start += partition.photos
    return names


def _chunk_with(position: int, chunks: int, read: Callable[[int], Chunk]) -> int:
    """The last chunk that does not begin behind a position."""
    return bisect_right(range(1, chunks), position, key=lambda number: read(number).table["position"][0].as_py())
