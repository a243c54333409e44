"""A damaged file is written again by its stage, which the error of the reading stage names."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meanface.embedder.result import PhotoResult
from meanface.errors import DamagedRecord
from meanface.ledger.commit import Commit
from meanface.ledger.partition_ledger import PartitionLedger
from meanface.outcome import Outcome
from meanface.pipeline import plan
from meanface.pipeline.run import Run
from meanface.settings import Labels, Settings
from meanface.stats.chip_sum import ChipSum


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def of_another(path: Path) -> None:
    path.write_bytes(path.with_name("00000.parquet").read_bytes())


def flipped(path: Path) -> None:
    data = path.read_bytes()
    at = data.index(b"\x28\xb5\x2f\xfd") + 10  # in a page: what zstd writes begins with these four
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


@pytest.mark.parametrize("damage", [truncated, flipped, Path.unlink])
def test_the_ledger_of_a_committed_partition(
    shared: Any, folder: Path, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    run = shared.embedded("run", folder, labels=Labels.PARENT_FOLDER)
    quiet = shared.reduce(run)
    chunk = Path(run.files.url, run.plan_files(run.manifest()).chunk(1, 0))
    before = chunk.read_bytes()
    damage(chunk)
    with pytest.raises(DamagedRecord, match=r"ledger/.*/00001/00000.parquet.*embed (partition 1|it) again"):
        shared.reduce(run)
    shared.embed(run, 1)
    assert chunk.read_bytes() == before
    assert shared.reduce(run).mean == quiet.mean


def lose(run: Run, partition: int, *, replace: bool) -> None:
    """What an attempt leaves that could read no photo of the partition, and whose commit came too late."""
    manifest = run.manifest()
    lost = PartitionLedger(run.files, run.shared, manifest, manifest.partitions[partition])
    chips = ChipSum.zero()
    for number in lost.numbers:
        chunk = lost.unfinished(number)
        for place in lost.places(number):
            chunk.add(place, PhotoResult(Outcome.UNREADABLE, "its host is away"))
        chips += lost.finish(number, chunk, "dlib", replace=replace).chips or ChipSum.zero()
    lost.keep_chips(chips)


@pytest.mark.parametrize("face_pixels", [True, False])
def test_the_ledger_of_an_attempt_that_was_not_committed(shared: Any, folder: Path, face_pixels: bool) -> None:
    run = shared.embedded("run", folder, labels=Labels.PARENT_FOLDER, face_pixels=face_pixels)
    quiet = shared.reduce(run)
    files = run.plan_files(run.manifest())
    chunks = [Path(run.files.url, files.chunk(partition, 0)) for partition in range(3)]
    before = [chunk.read_bytes() for chunk in chunks]
    for partition in (1, 2):
        lose(run, partition, replace=True)
    with pytest.raises(
        DamagedRecord, match=r"2 of 3 partition ledgers .* do not match their commits: embed partition 1-2 again"
    ):
        shared.reduce(run)
    shared.embed(run)
    assert [chunk.read_bytes() for chunk in chunks] == before
    again = shared.reduce(run)
    assert (again.mean, again.outcomes) == (quiet.mean, quiet.outcomes)


def test_an_intact_ledger_stays(shared: Any, folder: Path) -> None:
    run = shared.embedded("run", folder)
    quiet = shared.reduce(run)
    lose(run, 1, replace=False)
    assert shared.reduce(run).mean == quiet.mean


@pytest.mark.parametrize("damage", [truncated, flipped, of_another, Path.unlink])
def test_a_list_of_photos(shared: Any, folder: Path, damage: Callable[[Path], None]) -> None:
    run: Run = shared.run("run")
    settings = Settings(dataset=str(folder), partition_size=2)
    manifest = plan(run, settings)
    listed = Path(run.files.url, run.plan_files(manifest).photo_list(1))
    before = listed.read_bytes()
    damage(listed)
    with pytest.raises(DamagedRecord, match=r"manifest/.*/00001.parquet.*plan (the run|it) again"):
        shared.embed(run, 1)
    assert plan(run, settings) == manifest
    assert listed.read_bytes() == before
    shared.embed(run)
    assert shared.reduce(run).photos == 5


def test_files_of_a_killed_attempt_are_synced_before_the_commit(
    shared: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chunk has a name, and it did not come to sync that."""
    run = shared.run("run")
    plan(run, Settings(dataset=str(folder), partition_size=5))
    events, commit, sync = [], run.state.commit, os.fsync

    def syncing(file: int) -> None:
        events.append(Path(f"/proc/self/fd/{file}").readlink())
        sync(file)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    def committing(*record: Any) -> Any:
        events.append("commit")
        return commit(*record)

    with monkeypatch.context() as killed:
        killed.setattr(PartitionLedger, "keep_chips", die)
        with pytest.raises(KeyboardInterrupt):
            shared.embed(run, 0)
    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(run.state, "commit", committing)
    shared.embed(run, 0)
    place = Path(run.files.url, run.plan_files(run.manifest()).chunks(0))
    before = events[: events.index("commit")]
    assert {place, *place.parents[: len(place.relative_to(shared.storage.url).parts) + 1]} <= set(before)


def test_a_clock_that_is_set_back(shared: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = shared.run("run")
    plan(run, Settings(dataset=str(folder)))
    hours = iter(range(1_000_000, 0, -1))
    monkeypatch.setattr(time, "time", lambda: next(hours) * 3600.0)
    shared.embed(run)
    ((_, record),) = run.state.records([0])
    assert 0 <= Commit.from_bytes(record).head.seconds < 3600
    assert shared.reduce(run).timings["reduce_seconds"] >= 0
