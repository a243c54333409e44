"""Path of each file of a run, a series and the shared cache in storage.

::

    runs/NAME/                      one run
      manifest.json                 the plan, as in Redis
      manifest/NNNNN.parquet        the photo list of each partition
      manifest/_manifest.json       the plan beside its photo lists, where later plans find it
      manifest/_not_final           the plan was reduced, and photos may end differently next time
      ledger/NNNNN/NNNNN.parquet    the chunks of each partition's ledger
      chips/NNNNN                   the chip sum of each partition
      plans/DIGEST/                 manifest, ledger and chips of a plan that is not the first
      result.json, mean.npy, ...    the result, see `RESULT_FILES`
    series/NAME/                    one series
      intervals/INTERVAL.moments    the contribution of an interval's first plan
      intervals/INTERVAL.GENERATION.moments    that of a later plan
      result.json, mean.npy, ...    the result over all intervals, see `SERIES_FILES`
    datasets/, partitions/          which run has computed what, see `meanface.ledger.cache`
"""

from __future__ import annotations

import re
from typing import NamedTuple

from meanface.errors import SettingsError
from meanface.storage.files import Storage

NAME = r"[A-Za-z0-9][A-Za-z0-9._:+~@-]{0,249}"
"""names of runs and series, which are parts of keys and paths"""

MANIFEST = "manifest.json"
PHOTO_LISTS = "manifest"
PLAN_MANIFEST = f"{PHOTO_LISTS}/_manifest.json"
"""the underscore hides it from readers of a Parquet folder"""
NOT_FINAL = f"{PHOTO_LISTS}/_not_final"
"""an empty file"""
LEDGER = "ledger"
CHIP_SUMS = "chips"
PLANS = "plans"
PLAN_FOLDER = rf"^(|{PLANS}/[0-9a-f]{{16}})$"
"""folder of a plan in the run's files: empty for the first plan"""

RESULT = "result.json"
REPORT = "report.html"
MEAN = "mean.npy"
MOMENTS = "moments.npz"
MEAN_FACE = "mean_face.png"
FAILURES = "failures.csv"
LABEL_MEANS = "label_means.parquet"
RESULT_FILES = (RESULT, REPORT, MEAN, MOMENTS, MEAN_FACE, FAILURES, LABEL_MEANS)
"""what reduce writes into a run's files"""
SERIES_FILES = (MEAN, MOMENTS, RESULT)
"""what reduce writes into a series' files, in this order"""
INTERVALS = "intervals"

_CONTRIBUTION = re.compile(r"([^.]+(?:\.\d{6}Z)?)(?:\.(\d+))?\.moments")  # an interval may have microseconds


class ContributionFile(NamedTuple):
    """A contribution's file in a series."""

    interval: str
    generation: int
    """of the plan, see `Manifest.generation`"""
    path: str


def files_of(shared: Storage, name: str) -> Storage:
    """Return the files of a run in the shared storage."""
    return shared.child(f"runs/{name}")


def plan_files(files: Storage, folder: str) -> Storage:
    """Return the files of one plan of a run; `folder` is empty for the run's first plan."""
    return files.child(folder) if folder else files


def series_files(shared: Storage, name: str) -> Storage:
    """Return the files of a series in the shared storage."""
    return shared.child(f"series/{name}")


def checked_name(name: str, what: str = "run") -> str:
    """Return the name of a run or series; `SettingsError` if keys or paths cannot have it."""
    if not re.fullmatch(NAME, name):
        raise SettingsError(f"{what} name {name!r}: letters, digits and ._:+~@- only, starting with a letter or digit")
    return name


def photo_list_path(partition: int) -> str:
    """Return the path of a partition's photo list in the plan's files."""
    return f"{PHOTO_LISTS}/{partition:05d}.parquet"


def chunks_folder(partition: int) -> str:
    """Return the folder of a partition's chunks in the plan's files."""
    return f"{LEDGER}/{partition:05d}"


def chunk_path(partition: int, chunk: int) -> str:
    """Return the path of a chunk in the plan's files."""
    return f"{chunks_folder(partition)}/{chunk:05d}.parquet"


def chip_sum_path(partition: int) -> str:
    """Return the path of a partition's chip sum in the plan's files."""
    return f"{CHIP_SUMS}/{partition:05d}"


def contribution_path(interval: str, generation: int) -> str:
    """Return the path of a contribution in the series' files."""
    return f"{INTERVALS}/{interval}{f'.{generation}' if generation else ''}.moments"


def contribution_files(files: Storage) -> list[ContributionFile]:
    """List the contributions of a series by interval and generation; skip other files."""
    matches = [match for name in files.list(INTERVALS) if (match := _CONTRIBUTION.fullmatch(name))]
    return sorted(ContributionFile(one[1], int(one[2] or 0), f"{INTERVALS}/{one[0]}") for one in matches)


def dataset_entry_path(scope: str) -> str:
    """Return the path of the cache's entry for a dataset."""
    return f"datasets/{scope}.json"


def partition_entry_path(address: str) -> str:
    """Return the path of the cache's entry for a partition's content address."""
    return f"partitions/{address[:2]}/{address}.json"
