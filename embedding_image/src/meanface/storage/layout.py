"""Where each file of a run, a series and the shared cache is, as paths in storage.

runs/NAME/                    one run
manifest.json               the plan, as the store has it
manifest/NNNNN.parquet      the photos of each partition
manifest/_manifest.json     the plan beside its lists, where later plans find it
manifest/_not_final         this plan was reduced, and its photos may have another outcome next time
ledger/NNNNN/NNNNN.parquet  chunks of each partition's ledger
chips/NNNNN                 chip sum of each partition, while the run lasts
plans/DIGEST/               manifest, ledger and chips of a plan that is not the run's first
result.json, mean.npy, ...  the result, see `ARTIFACTS`
series/NAME/                  one series
intervals/                  the contribution of each run
mean.npy, ...               the result over all intervals
datasets/, partitions/        which run has computed what, see `meanface.ledger.cache`
"""

from __future__ import annotations

import re

from meanface.errors import SettingsError
from meanface.storage.files import Storage

NAME = r"[A-Za-z0-9][A-Za-z0-9._:+~@-]{0,249}"
"""names of runs and series: parts of keys and paths"""

MANIFEST = "manifest.json"
PHOTO_LISTS = "manifest"
PLAN_MANIFEST = f"{PHOTO_LISTS}/_manifest.json"
"""by its first letter no part of a table in Parquet"""
NOT_FINAL = f"{PHOTO_LISTS}/_not_final"
"""an empty file"""
LEDGER = "ledger"
CHIP_SUMS = "chips"
PLANS = "plans"


def files_of(shared: Storage, name: str) -> Storage:
    """The files of a run in a storage that runs share."""
    return shared.child(f"runs/{name}")


def plan_files(files: Storage, folder: str) -> Storage:
    """The files of one plan among those of its run; `folder` is empty for the run's first plan."""
    return files.child(folder) if folder else files


def checked_name(name: str, what: str = "run") -> str:
    """The name of a run or a series, if it can be one.

    Raises
    ------
    SettingsError
        for characters that keys or paths may not hold
    """
    if not re.fullmatch(NAME, name):
        raise SettingsError(f"{what} name {name!r}: letters, digits and ._:+~@- only, starting with a letter or digit")
    return name


def photo_list_path(partition: int) -> str:
    """Path of the list of a partition's photos, in the plan's files."""
    return f"{PHOTO_LISTS}/{partition:05d}.parquet"


def chunks_folder(partition: int) -> str:
    """Folder of a partition's chunks, in the plan's files."""
    return f"{LEDGER}/{partition:05d}"


def chunk_path(partition: int, chunk: int) -> str:
    """Path of one chunk, in the plan's files."""
    return f"{chunks_folder(partition)}/{chunk:05d}.parquet"


def chip_sum_path(partition: int) -> str:
    """Path of a partition's chip sum, in the plan's files."""
    return f"{CHIP_SUMS}/{partition:05d}"


def dataset_entry_path(scope: str, *, pixels: bool) -> str:
    """Path of the cache's entry for a dataset."""
    return f"datasets/{scope}{'' if pixels else '.no-pixels'}.json"


def partition_entry_path(address: str, *, pixels: bool) -> str:
    """Path of the cache's entry for a partition's content address."""
    return f"partitions/{address[:2]}/{address}{'' if pixels else '.no-pixels'}.json"
