"""Path of each file of a run, a series and the shared cache in storage; see docs/storage.md."""

from __future__ import annotations

import re
from typing import NamedTuple

from meanface.errors import SettingsError
from meanface.storage.files import Storage

NAME = r"[A-Za-z0-9][A-Za-z0-9._:+~@-]{0,249}"
"""names of runs and series, which are parts of keys and paths"""

MANIFEST = "manifest.json"
"""the plan, as in Redis"""
PHOTO_LISTS = "manifest"
LEDGER = "ledger"
CHIP_SUMS = "chips"
PLAN = r"[0-9a-f]{16}"
"""name of a plan's folders"""

RESULT = "result.json"
REPORT = "report.html"
MEAN = "mean.npy"
MOMENTS = "moments.npz"
MEAN_FACE = "mean_face.png"
FAILURES = "failures.csv"
LABEL_MEANS = "label_means.parquet"
LABEL_CHECKS = "label_checks.csv"
RESULT_FILES = (RESULT, REPORT, MEAN, MOMENTS, MEAN_FACE, FAILURES, LABEL_MEANS, LABEL_CHECKS)
"""what reduce writes into a run's files"""
SERIES_FILES = (MEAN, MOMENTS, RESULT)
"""what reduce writes into a series' files, in this order"""
INTERVALS = "intervals"

_CONTRIBUTION = re.compile(r"([^.]+(?:\.\d{6}Z)?)(?:\.(\d+))?\.moments")  # an interval may have microseconds


class PlanFiles(NamedTuple):
    """The paths of one plan's files in the run's storage."""

    run: Storage
    plan: str

    @property
    def photo_lists(self) -> str:
        """Return the folder of the photo lists."""
        return f"{PHOTO_LISTS}/{self.plan}"

    @property
    def manifest(self) -> str:
        """Return the path of the plan; its underscore hides it from readers of a Parquet folder."""
        return f"{self.photo_lists}/_manifest.json"

    @property
    def not_final(self) -> str:
        """Return the path of an empty file, see `meanface.pipeline.plan.plan`."""
        return f"{self.photo_lists}/_not_final"

    @property
    def ledger(self) -> str:
        """Return the folder of all partitions' chunks."""
        return f"{LEDGER}/{self.plan}"

    @property
    def chip_sums(self) -> str:
        """Return the folder of the chip sums."""
        return f"{CHIP_SUMS}/{self.plan}"

    def photo_list(self, partition: int) -> str:
        """Return the path of a partition's photo list."""
        return f"{self.photo_lists}/{partition:05d}.parquet"

    def chunks(self, partition: int) -> str:
        """Return the folder of a partition's chunks."""
        return f"{self.ledger}/{partition:05d}"

    def chunk(self, partition: int, number: int) -> str:
        """Return the path of a chunk."""
        return f"{self.chunks(partition)}/{number:05d}.parquet"

    def chip_sum(self, partition: int) -> str:
        """Return the path of a partition's chip sum."""
        return f"{self.chip_sums}/{partition:05d}"

    def others(self) -> list[PlanFiles]:
        """List the run's other plans that have files, sorted by digest."""
        names = {name for folder in (PHOTO_LISTS, LEDGER, CHIP_SUMS) for name in self.run.list(folder)}
        return [PlanFiles(self.run, name) for name in sorted(names - {self.plan}) if re.fullmatch(PLAN, name)]


class ContributionFile(NamedTuple):
    """A contribution's file in a series."""

    interval: str
    generation: int
    """of the plan, see `Manifest.generation`"""
    path: str


def files_of(shared: Storage, name: str) -> Storage:
    """Return the files of a run in the shared storage."""
    return shared.child(f"runs/{name}")


def series_files(shared: Storage, name: str) -> Storage:
    """Return the files of a series in the shared storage."""
    return shared.child(f"series/{name}")


def checked_name(name: str, what: str = "run") -> str:
    """Return the name of a run or series; `SettingsError` if keys or paths cannot have it."""
    if not re.fullmatch(NAME, name):
        raise SettingsError(f"{what} name {name!r}: letters, digits and ._:+~@- only, starting with a letter or digit")
    return name


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
