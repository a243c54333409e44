"""A run whose photos have changed is planned again; nothing of the plan before gets into it."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import statefields
from meanface.errors import Conflict, DamagedRecord, DatasetNotFound, EmptyDataset, UsageError
from meanface.ledger.commit import Commit
from meanface.ledger.manifest import Manifest
from meanface.pipeline import plan
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.marker import InSeries


def asked(folder: Path, **settings: Any) -> Settings:
    return Settings.of(dataset=str(folder), **{"partition_size": 2, **settings})


def tree(run: Run) -> set[str]:
    root = Path(run.files.url)
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def done(shared: Any, folder: Path) -> Run:
    """A run that is planned, embedded and reduced."""
    run = shared.embedded("run", folder)
    shared.reduce(run)
    return run


@dataclass(frozen=True)
class Late(Run):
    """The run as one of its processes sees it that has read an earlier plan."""

    plan: Manifest | None = None

    def manifest(self) -> Manifest:
        assert self.plan is not None
        return self.plan


def late(run: Run, manifest: Manifest) -> Late:
    return Late(**vars(run), plan=manifest)


def test_the_same_photos_are_planned_once(done: Run, folder: Path) -> None:
    before, files = done.state.manifest(), tree(done)
    (folder / "notes.txt").write_text("no photo")
    assert plan(done, asked(folder)) == Manifest.from_json(before)
    assert done.state.manifest() == before
    assert done.state.committed() == {0, 1, 2}
    assert done.state.result() is not None
    assert tree(done) == files


@pytest.mark.long
@pytest.mark.parametrize("change", ["more", "fewer", "replaced", "renamed"])
def test_other_photos_are_another_plan(
    *, done: Run, folder: Path, shared: Any, face: Any, write: Any, reused: Any, change: str
) -> None:
    before = done.manifest()
    match change:
        case "more":
            write(folder, {f"{number}.bmp": face(number) for number in (5, 6, 7)})
        case "fewer":
            (folder / "4.bmp").unlink()
            (folder / "3.bmp").unlink()
        case "replaced":  # by one of as many bytes
            write(folder, {"3.bmp": face(30)}, at=2_000_000_000)
        case "renamed":
            (folder / "4.bmp").rename(folder / "9.bmp")
    manifest = plan(done, asked(folder))
    assert manifest.plan != before.plan
    assert manifest != before
    assert done.manifest() == manifest
    assert Manifest.from_json(done.files.read("manifest.json")) == manifest
    assert (done.state.committed(), statefields.progress(done.state), done.state.result()) == (set(), {}, None)
    assert {"result.json", "mean.npy", "report.html", "failures.csv", "moments.npz"} <= tree(done)  # of before

    shared.embed(done)
    assert reused(done)[0] == {"run": 2}  # what has not changed comes back
    result = shared.reduce(done)
    alone = shared.elsewhere().result("alone", folder)
    assert (result.mean, result.outcomes, result.fingerprint) == (alone.mean, alone.outcomes, alone.fingerprint)
    folders = {str(Path(file).parent.parent) for file in tree(done) if file.endswith(".parquet") and "ledger" in file}
    assert folders == {f"ledger/{manifest.plan}"} == {result.artifacts["ledger"]}
    assert all(Path(result.location, file).exists() for file in result.artifacts.values())
    assert {file.split("/")[1] for file in tree(done) if file.startswith("manifest/")} == {manifest.plan}


def test_the_first_photos_again_are_a_third_plan(done: Run, folder: Path, shared: Any, face: Any, write: Any) -> None:
    first = json.loads(done.files.read("result.json"))
    for photos in ({"5.bmp": face(5)}, {}):
        (folder / "5.bmp").unlink(missing_ok=True)
        write(folder, photos)
        plan(done, asked(folder))
        shared.embed(done)
        result = shared.reduce(done)
    assert (result.mean, result.fingerprint) == (first["mean"], first["fingerprint"])
    assert {file.split("/")[1] for file in tree(done) if file.startswith("ledger/")} == {done.manifest().plan}


def test_a_late_attempt_is_refused_and_changes_nothing(
    shared: Any, folder: Path, face: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shared.run("run")
    old = plan(run, asked(folder))
    write(folder, {"2.bmp": face(20), "7.bmp": face(7)}, at=2_000_000_000)
    plan(run, asked(folder))
    shared.embed(run)
    expected = {path: Path(run.files.url, path).read_bytes() for path in tree(run)}
    progress = statefields.progress(run.state)
    with monkeypatch.context() as then:
        then.setattr(run.state, "committed", set)  # as when the attempts began
        for partition in (0, 1, 2):
            with pytest.raises(Conflict, match="the run was planned again meanwhile"):
                shared.embed(late(run, old), partition)
    assert statefields.progress(run.state) == progress
    assert {path: Path(run.files.url, path).read_bytes() for path in expected} == expected
    result = shared.reduce(run)
    assert result.mean == shared.elsewhere().result("alone", folder).mean


def test_a_run_planned_again_during_reduce(
    shared: Any, folder: Path, face: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shared.embedded("run", folder)
    original = run.state.records

    def records(partitions: Any) -> Any:
        yield from list(original(partitions))
        write(folder, {"2.bmp": face(20)}, at=2_000_000_000)  # the same names and sizes: the same fingerprint
        plan(run, asked(folder))

    monkeypatch.setattr(run.state, "records", records)
    with pytest.raises(Conflict, match="planned again while it was reduced"):
        shared.reduce(run)
    assert run.state.result() is None
    assert "result.json" not in tree(run)


@pytest.mark.parametrize("stalled", ["merge", "scan_ledger", "_add_to_series", "compute_statistics"])
def test_a_late_reduce_overwrites_nothing_of_a_newer_plan(
    *, shared: Any, folder: Path, face: Any, write: Any, monkeypatch: pytest.MonkeyPatch, stalled: str
) -> None:
    """It stands still at some point; the run is planned again, embedded and reduced; then it goes on."""
    place = InSeries(name="s", interval="2026-01-01T00:00:00Z")
    run = shared.embedded("run", folder, series=place)
    stage = sys.modules["meanface.pipeline.reduce"]
    original = getattr(stage, stalled)
    left: dict[str, bytes] = {}

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(stage, stalled, original)
        write(folder, {"2.bmp": face(20)}, at=2_000_000_000)
        plan(run, asked(folder), place)
        shared.embed(run)
        shared.reduce(run)
        left.update(everything(shared))
        return original(*arguments)

    monkeypatch.setattr(stage, stalled, late)
    with pytest.raises((Conflict, DamagedRecord)):  # files of the plan before may be gone already
        shared.reduce(run)
    assert everything(shared) == left
    result = json.loads(run.state.result() or "")
    alone = shared.elsewhere().result("alone", folder).mean
    assert result["mean"] == result["series"]["mean"] == alone


def everything(shared: Any) -> dict[str, bytes]:
    """All files of a storage that have their names."""
    files = [path for path in Path(shared.storage.url).rglob("*") if path.is_file() and path.name[0] != "."]
    return {str(path): path.read_bytes() for path in files}


def test_a_state_that_has_lost_the_newer_plan_is_refused(
    done: Run, folder: Path, shared: Any, write: Any, face: Any
) -> None:
    """It comes back with the plan before and all its commits; the files know better."""
    first = done.manifest()
    records = dict(done.state.records(range(3)))
    write(folder, {"2.bmp": face(20)}, at=2_000_000_000)
    second = plan(done, asked(folder))
    back = shared.run("run")
    back.state.put_manifest(first.to_json(), first.content_digest())
    for partition, record in records.items():
        back.state.commit(partition, record, Commit.from_bytes(record).digest(), first.content_digest())
    for stage in (shared.reduce, shared.embed):
        with pytest.raises(Conflict, match=r"have two plans.*plan the run again"):
            stage(back)
    third = plan(back, asked(folder))
    assert (first.generation, second.generation, third.generation) == (0, 1, 2)
    shared.embed(back)
    assert shared.reduce(back).mean == shared.elsewhere().result("alone", folder).mean


def test_a_state_that_loses_the_plan_during_a_stage_is_reported(done: Run, shared: Any) -> None:
    with pytest.raises(UsageError, match="is not planned, or its plan has expired: plan it first"):
        shared.run("run").verified_manifest()
    assert done.verified_manifest() == done.manifest().to_json()


def test_a_kill_between_state_and_files_is_repaired_by_the_next_plan(
    done: Run, folder: Path, shared: Any, face: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"5.bmp": face(5)})
    with monkeypatch.context() as killed:
        killed.setattr(sys.modules["meanface.pipeline.plan"], "_finish", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            plan(done, asked(folder))
    assert "result.json" in tree(done)
    manifest = plan(done, asked(folder))
    assert done.manifest() == manifest == Manifest.from_json(done.files.read("manifest.json"))
    shared.embed(done)
    assert shared.reduce(done).mean == shared.elsewhere().result("alone", folder).mean


def test_a_kill_before_the_state_leaves_the_old_plan(
    done: Run, folder: Path, shared: Any, face: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, mean = done.manifest(), json.loads(done.files.read("result.json"))["mean"]
    write(folder, {"5.bmp": face(5)})
    with monkeypatch.context() as killed:
        killed.setattr(MemoryState, "put_manifest", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            plan(done, asked(folder))
    (folder / "5.bmp").unlink()
    assert plan(done, asked(folder)) == before
    shared.embed(done)
    assert shared.reduce(done).mean == mean


@pytest.mark.parametrize("changed", [False, True])
def test_a_run_without_its_state(done: Run, folder: Path, shared: Any, face: Any, write: Any, changed: bool) -> None:
    if changed:
        write(folder, {"1.bmp": face(10)}, at=2_000_000_000)
    run = shared.run("run")
    manifest = plan(run, asked(folder))
    assert (manifest.plan != done.manifest().plan) == changed
    shared.embed(run)
    assert shared.reduce(run).mean == shared.elsewhere().result("alone", folder).mean
    with pytest.raises(Conflict, match="holds a run over other photos or settings"):
        plan(shared.run("run"), asked(folder, faces="all"))


def test_an_archive_that_changed(shared: Any, folder: Path, tmp_path: Path, reused: Any) -> None:
    archive = tmp_path / "photos.tar"

    def pack(names: str) -> None:
        with tarfile.open(archive, "w") as packed:
            for name in names:
                packed.add(folder / f"{name}.bmp", f"{name}.bmp")

    pack("0123")
    run = shared.embedded("run", archive)
    old = run.manifest()
    assert plan(run, asked(archive)) == old
    pack("3210")  # the same photos at other places
    assert plan(run, asked(archive)) != old
    shared.embed(run)
    assert reused(run) == [{"run": 2}, {"run": 2}]
    pack("423")
    plan(run, asked(archive))
    shared.embed(run)
    assert shared.reduce(run).mean == shared.elsewhere().result("alone", archive).mean


def test_other_settings_are_a_conflict(done: Run, folder: Path, face: Any, write: Any) -> None:
    write(folder, {"5.bmp": face(5)})
    with pytest.raises(Conflict, match="planned with other settings: faces='first' then, 'all' now"):
        plan(done, asked(folder, faces="all"))
    assert done.state.committed() == {0, 1, 2}


def test_another_program_is_a_conflict(done: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meanface.embedder.recipe.version", lambda _: "0.0")
    with pytest.raises(Conflict, match="use the same image for every stage"):
        plan(done, asked(folder))


def test_removed_photos_leave_the_plan(done: Run, folder: Path) -> None:
    before = done.state.manifest()
    shutil.rmtree(folder)
    with pytest.raises(DatasetNotFound):
        plan(done, asked(folder))
    folder.mkdir()
    with pytest.raises(EmptyDataset):
        plan(done, asked(folder))
    assert (done.state.manifest(), done.state.committed()) == (before, {0, 1, 2})
