"""The chip sums of a plan's partitions in storage: one file each, which the partition's commit knows by its digest."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from meanface.errors import DamagedRecord
from meanface.stats.chip_sum import ChipSum
from meanface.storage.files import Storage
from meanface.storage.layout import chip_sum_path

READ_AT_ONCE = 16
"""files; a bucket answers in tens of milliseconds, and there may be 1,024 of them"""


class KeptChips(NamedTuple):
    """What a commit says of its partition's chip sum."""

    partition: int
    digest: str
    faces: int


def merged(files: Storage, kept: Sequence[KeptChips]) -> ChipSum:
    """The sum over partitions; a few files in memory at a time, whatever the number of partitions.

    Raises
    ------
    DamagedRecord
        naming the partition whose file is gone, damaged, or not what was committed
    """
    total = ChipSum.zero()
    with ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="chips") as threads:
        for start in range(0, len(kept), READ_AT_ONCE):
            batch = kept[start : start + READ_AT_ONCE]
            for part in threads.map(lambda one: _read(files, one), batch):
                total += part
    return total


def holds(files: Storage, kept: KeptChips) -> bool:
    """Whether a partition's file is there, and what was committed."""
    try:
        _read(files, kept)
    except DamagedRecord:
        return False
    return True


def _read(files: Storage, kept: KeptChips) -> ChipSum:
    where = chip_sum_path(kept.partition)
    try:
        found = ChipSum.from_bytes(files.read(where))
    except FileNotFoundError:
        reason = "gone"
    except DamagedRecord as damage:
        reason = str(damage)
    else:
        if (found.digest(), found.count) == (kept.digest, kept.faces):
            return found
        reason = f"a sum of {found.count} faces, and not the one of {kept.faces} faces that is committed"
    raise DamagedRecord(
        f"chip sum of partition {kept.partition}, {files.url}/{where}: {reason}: embed partition {kept.partition} again"
    )
