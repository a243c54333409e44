"""A run that has ended looks again at photos that may come to something else; one that was interrupted goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meanface.dataset.folder import FolderDataset
from meanface.errors import NoFaceFound, TooManyFailures
from meanface.outcome import Outcome
from meanface.pipeline import plan
from meanface.pipeline.local import run_locally
from meanface.pipeline.run import Run
from meanface.results.reader import Result
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage import version
from meanface.storage.files import Storage
from meanface.storage.layout import MEAN, MOMENTS, REPORT, RESULT


def asked(folder: Path, **settings: Any) -> Settings:
    return Settings.of(dataset=str(folder), **{"partition_size": 2, **settings})


@pytest.fixture
def away(shared: Any, folder: Path) -> Callable[..., Run]:
    """Embeds a run while one of its photos cannot be read; afterwards it can, as it was."""

    def embedded(**settings: Any) -> Run:
        run = shared.run("run")
        plan(run, asked(folder, **settings))
        (folder / "1.bmp").rename(folder / "away")
        shared.embed(run)
        (folder / "away").rename(folder / "1.bmp")
        return run

    return embedded


def finished(shared: Any, run: Run, folder: Path, **settings: Any) -> Any:
    plan(run, asked(folder, **settings))
    shared.embed(run)
    return shared.reduce(run)


def test_a_photo_that_could_not_be_read_is_tried_again(
    shared: Any, folder: Path, away: Callable[..., Run], reused: Any
) -> None:
    run = away()
    before = run.manifest()
    assert plan(run, asked(folder)) == before  # it was interrupted, and goes on
    assert shared.reduce(run).outcomes[Outcome.UNREADABLE] == 1
    manifest = plan(run, asked(folder))
    assert (manifest.generation, manifest.digest) == (before.generation + 1, before.digest)
    assert (run.state.committed(), run.state.result()) == (set(), None)
    shared.embed(run)
    assert sum(sum(each.values()) for each in reused(run)) == 4
    result = shared.reduce(run)
    alone = shared.elsewhere().result("alone", folder)
    assert (result.mean, result.outcomes, result.fingerprint) == (alone.mean, alone.outcomes, alone.fingerprint)
    assert plan(run, asked(folder)) == manifest  # nothing is left that may come to something else
    assert not run.files.exists(run.plan_files(manifest).not_final)


def test_photos_without_a_version_are_read_again(
    shared: Any, folder: Path, face: Any, write: Any, reused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "of_stat", lambda _: "")
    monkeypatch.setattr("meanface.dataset.folder.of_stat", lambda _: "")
    run = shared.embedded("run", folder)
    before = run.manifest()
    write(folder, {"3.bmp": face(30)})
    assert plan(run, asked(folder)) == before
    first = shared.reduce(run)
    result = finished(shared, run, folder)
    assert reused(run) == [{}, {}, {}]
    assert result.mean == shared.elsewhere().result("alone", folder).mean != first.mean
    assert finished(shared, run, folder).mean == result.mean


def test_an_interruption_between_any_two_steps(
    shared: Any, folder: Path, away: Callable[..., Run], reused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill at the end of `reduce` leaves the run unchanged, and one in the next `plan` leaves nothing half done."""
    run = away()
    stages = [sys.modules[f"meanface.pipeline.{name}"] for name in ("plan", "reduce")]
    with monkeypatch.context() as killed:
        killed.setattr(stages[1], "note_end", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            shared.reduce(run)
    before = run.manifest()
    assert plan(run, asked(folder)) == before
    assert len(run.state.committed()) == 3
    shared.reduce(run)
    for step in ("_finish", "_manifest"):
        with monkeypatch.context() as killed:
            killed.setattr(stages[0], step, lambda *_, **__: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                plan(shared.run("run"), asked(folder))
    run = shared.run("run")
    result = finished(shared, run, folder)
    assert run.manifest().generation == before.generation + 1
    assert sum(sum(each.values()) for each in reused(run)) == 4
    assert result.mean == shared.elsewhere().result("alone", folder).mean


def test_listing_photos_while_the_run_ends_does_not_plan_it_again(
    shared: Any, folder: Path, away: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, original = away(), FolderDataset.list

    def slowly(self: FolderDataset) -> Any:
        yield from original(self)
        shared.reduce(run)

    before = run.manifest()
    with monkeypatch.context() as late:
        late.setattr(FolderDataset, "list", slowly)
        assert plan(run, asked(folder)) == before
    assert run.state.result() is not None


def test_an_earlier_result_stays_until_there_is_another(
    shared: Any, folder: Path, face: Callable[[int], bytes], write: Any
) -> None:
    few = {"max_failed_fraction": 0.5}
    run = shared.run("run")
    first = finished(shared, run, folder, **few)
    files = {name: run.files.read(name) for name in (RESULT, MEAN, MOMENTS, REPORT)}
    write(folder, {f"{number}.bmp": b"no photo" for number in range(3)}, at=2_000_000_000)
    with pytest.raises(TooManyFailures, match=r"result\.json stays, and is the result of an earlier plan"):
        finished(shared, run, folder, **few)
    assert {name: run.files.read(name) for name in files} == files
    assert Result.at(run.files.url).embeddings().num_rows == first.faces == 5
    write(folder, {"0.bmp": face(5)}, at=3_000_000_000)
    second = finished(shared, run, folder, **few)
    assert (second.faces, json.loads(run.files.read(RESULT))["mean"]) == (3, second.mean)
    assert run.plan_files(run.manifest()).others() == []
    assert Result.at(run.files.url).embeddings().num_rows == 3


def test_fewer_photos_than_before_are_a_warning(shared: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shared.embedded("run", folder)
    assert "fewer photos" not in capsys.readouterr().out
    (folder / "4.bmp").unlink()
    plan(run, asked(folder))
    assert "ledger of the photos that are missing now is removed when this run ends" in capsys.readouterr().out


def test_a_refused_run_is_planned_again(shared: Any, folder: Path, away: Callable[..., Run]) -> None:
    run = away(max_failed_fraction=0)
    for _ in range(2):
        with pytest.raises(TooManyFailures):
            shared.reduce(run)
    assert finished(shared, run, folder, max_failed_fraction=0).faces == 5


def test_a_run_without_shared_storage_and_without_a_face_is_planned_again(
    shared: Any, folder: Path, tmp_path: Path
) -> None:
    """Like `meanface run` over a list without network."""
    names = sorted(path.name for path in folder.iterdir())

    def move(source: Path, target: Path) -> None:
        target.mkdir(exist_ok=True)
        for name in names:
            (source / name).rename(target / name)

    def result() -> Any:
        run = Run("local", MemoryState("local"), Storage(str(tmp_path / "out")))
        plan(run, asked(folder))
        move(folder, tmp_path / "away")
        shared.embed(run)
        move(tmp_path / "away", folder)
        return shared.reduce(run)

    with pytest.raises(NoFaceFound, match="5 unreadable"):
        result()
    again = run_locally(asked(folder), Storage(str(tmp_path / "out")), workers=1)
    assert again.mean == shared.elsewhere().result("alone", folder).mean
