"""Remove the files of a plan (manifest, photo lists, ledger and chip sums), or mark it as one to check again.

A file is removed only if a plan writes files of that name, and its content has our checksum, the magic
bytes of a chip sum, or the fields of a manifest. Everything else stays, and so do its folders.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import structlog

from meanface.errors import DamagedRecord
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.stats.chip_sum import is_chip_sum
from meanface.storage.checksum import check_parquet
from meanface.storage.files import Storage
from meanface.storage.layout import PlanFiles
from meanface.storage.marker import is_manifest

AT_ONCE = 16
"""files; a bucket answers in tens of milliseconds"""

_NUMBER = re.compile(r"\d{5}")
_PARQUET = re.compile(r"\d{5}\.parquet")

log = structlog.get_logger(__name__)


def note_end(plan: PlanFiles, manifest: Manifest, outcomes: Iterable[Outcome]) -> None:
    """Make the next `plan` check photos whose outcome may change; the last step of a run.

    These are photos without a version, which may have other bytes by then, and those whose outcome may pass.
    """
    unversioned = any(partition.address is None for partition in manifest.partitions)
    if unversioned or any(outcome.passing for outcome in outcomes):
        plan.run.create(plan.not_final, b"")


def remove_plan(plan: PlanFiles) -> None:
    """Remove manifest, photo lists, ledger and chip sums of one plan."""
    files = plan.run
    if files.exists(plan.manifest):
        _remove_file(files, is_manifest, plan.manifest)
    if files.exists(plan.not_final):
        _remove_file(files, operator.not_, plan.not_final)
    _remove(files, plan.photo_lists, _PARQUET, _is_sealed)
    for partition in _named(files, plan.ledger, _NUMBER):
        _remove(files, partition, _PARQUET, _is_sealed)
    files.remove_empty_folder(plan.ledger)
    remove_chips(plan)


def remove_chips(plan: PlanFiles) -> None:
    """Remove the chip sums of one plan, also damaged ones: they are pixels of faces."""
    _remove(plan.run, plan.chip_sums, _NUMBER, is_chip_sum)


def _remove(files: Storage, folder: str, names: re.Pattern[str], is_ours: Callable[[bytes], bool]) -> None:
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="remove") as threads:
        list(threads.map(partial(_remove_file, files, is_ours), _named(files, folder, names)))
    files.remove_unfinished(folder, names)
    files.remove_empty_folder(folder)


def _named(files: Storage, folder: str, names: re.Pattern[str]) -> Iterator[str]:
    return (f"{folder}/{name}" for name in files.list(folder) if names.fullmatch(name))


def _remove_file(files: Storage, is_ours: Callable[[bytes], bool], path: str) -> None:
    with suppress(FileNotFoundError):  # another attempt removes the plan, too
        kind = files.kind(path)
        if kind == "file" and is_ours(files.read(path)):
            files.remove(path)
        elif kind:
            log.warning("file left in place", path=f"{files.url}/{path}", reason="it is not as meanface wrote it")


def _is_sealed(data: bytes) -> bool:
    try:
        check_parquet(data, "file")
    except DamagedRecord:
        return False
    return True
