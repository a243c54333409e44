"""The chip sums of a plan's partitions, one file each; the partition's commit has the digest."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from meanface.errors import DamagedRecord
from meanface.stats.chip_sum import ChipSum
from meanface.storage.layout import PlanFiles

READ_AT_ONCE = 16
"""files of up to 1,024; a bucket answers in tens of milliseconds"""


class KeptChips(NamedTuple):
    """A partition's chip sum according to its commit."""

    partition: int
    digest: str
    faces: int


def merged(files: PlanFiles, committed: Sequence[KeptChips]) -> ChipSum:
    """Add up the chip sums; only a few files are in memory at a time.

    Raises `DamagedRecord`, which names the partition whose file is missing, damaged or not as
    committed.
    """
    total = ChipSum.zero()
    with ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="chips") as threads:
        for start in range(0, len(committed), READ_AT_ONCE):
            batch = committed[start : start + READ_AT_ONCE]
            for part in threads.map(lambda one: _read(files, one), batch):
                total += part
    return total


def holds(files: PlanFiles, committed: KeptChips) -> bool:
    """Tell whether a partition's file exists and is as committed."""
    try:
        _read(files, committed)
    except DamagedRecord:
        return False
    return True


def _read(files: PlanFiles, committed: KeptChips) -> ChipSum:
    where = files.chip_sum(committed.partition)
    try:
        found = ChipSum.from_bytes(files.run.read(where))
    except FileNotFoundError:
        reason = "gone"
    except DamagedRecord as damage:
        reason = str(damage)
    else:
        if (found.digest(), found.count) == (committed.digest, committed.faces):
            return found
        reason = f"a sum of {found.count} faces, not the committed one of {committed.faces} faces"
    partition = committed.partition
    raise DamagedRecord(
        f"chip sum of partition {partition}, {files.run.url}/{where}: {reason}: embed partition {partition} again"
    )
