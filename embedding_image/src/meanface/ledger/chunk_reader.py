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
from meanface.stats.models import FaceAt
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
    for chunk, here in _chunks_with(positions, partitions, read):
        photos = chunk.photos()
        found = dict(zip(photos["position"].to_pylist(), photos["photo"].to_pylist(), strict=True))
        names |= {position: found[position] for position in here if position in found}
    return names


def thumbnails(
    faces: Iterable[FaceAt], partitions: Iterable[Partition], read: Callable[[int, int], Chunk]
) -> dict[FaceAt, bytes]:
    """Thumbnails of some faces, those that the ledger has; arguments as those of `photo_names`."""
    wanted, found = set(faces), dict[FaceAt, bytes]()
    for chunk, _ in _chunks_with({face.position for face in wanted}, partitions, read):
        some = chunk.table.filter(chunk.table["thumbnail"].is_valid())
        columns = (some[name].to_pylist() for name in ("position", "face", "thumbnail"))
        rows = ((FaceAt(position, face), jpeg) for position, face, jpeg in zip(*columns, strict=True))
        found |= {at: jpeg for at, jpeg in rows if at in wanted}
    return found


def _chunks_with(
    positions: Iterable[int], partitions: Iterable[Partition], read: Callable[[int, int], Chunk]
) -> Iterator[tuple[Chunk, list[int]]]:
    """The chunks that hold photos at some places, each with the places in its partition."""
    start, wanted = 0, sorted(set(positions))
    for partition in partitions:
        here = [position for position in wanted if start <= position < start + partition.photos]
        chunk = cache(partial(read, partition.index))
        for number in sorted({_chunk_with(position, partition.chunks, chunk) for position in here}):
            yield chunk(number), here
        start += partition.photos


def _chunk_with(position: int, chunks: int, read: Callable[[int], Chunk]) -> int:
    """The last chunk that does not begin behind a position."""
    return bisect_right(range(1, chunks), position, key=lambda number: read(number).table["position"][0].as_py())
