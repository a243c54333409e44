"""A run over several datasets: its mean, its labels, what it reuses, and its output folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from meanface.dataset import SAMPLE
from meanface.embedder.recipe import recipe
from meanface.errors import Conflict, EmptyDataset, OutputNotEmpty
from meanface.results.result import ResultRecord
from meanface.settings import Labels, Settings

RunOn = Callable[..., ResultRecord]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """The folders of the sample."""
    shutil.copytree(SAMPLE, tmp_path / "people")
    return tmp_path / "people"


def test_the_mean_is_that_of_all_photos_to_the_last_bit(people: Path, run_on: RunOn, tmp_path: Path) -> None:
    whole = run_on(people, tmp_path / "whole", labels=Labels.TOP_FOLDER)
    folders = sorted(map(str, people.iterdir()))
    several = run_on("\n".join(folders), tmp_path / "several", labels=Labels.TOP_FOLDER)
    assert several.mean == whole.mean
    assert several.fingerprint == whole.fingerprint  # the names of the photos are the same, too
    means = [pq.read_table(tmp_path / name / "label_means.parquet") for name in ("several", "whole")]
    assert means[0] == means[1]
    assert several.dataset == ", ".join(folders)
    written = json.loads((tmp_path / "several" / "result.json").read_text())
    assert written["settings"]["dataset"] == "\n".join(folders)
    assert "several" not in json.loads((tmp_path / "whole" / "manifest.json").read_text())["source"]
    assert "parts" not in json.loads((tmp_path / "whole" / "manifest.json").read_text())["source"]


def test_the_datasets_are_not_in_the_recipe() -> None:
    assert recipe(Settings(dataset="a\nb")) == recipe(Settings(dataset="sample"))


def test_the_same_run_continues_and_another_order_or_set_is_another_run(
    people: Path, run_on: RunOn, tmp_path: Path
) -> None:
    anna, bob, eve = sorted(people.iterdir())[:3]
    first = run_on(f"{anna}\n{bob}", tmp_path / "out")
    again = run_on(f"{anna}\n{bob}", tmp_path / "out")
    assert (again.photos, again.fingerprint, again.mean) == (first.photos, first.fingerprint, first.mean)
    (anna / "more.jpg").write_bytes(next(eve.iterdir()).read_bytes())
    grown = run_on(f"{anna}\n{bob}", tmp_path / "out")
    assert (grown.photos, grown.photos_reused) == (first.photos + 1, first.photos)
    for other in (f"{bob}\n{anna}", f"{anna}\n{bob}\n{eve}", anna):
        with pytest.raises(Conflict, match="holds a run over other photos"):
            run_on(other, tmp_path / "out")


def test_no_dataset_is_overwritten_and_results_inside_one_are_passed_over(
    people: Path, run_on: RunOn, tmp_path: Path
) -> None:
    anna, bob = sorted(people.iterdir())[:2]
    (tmp_path / "link").symlink_to(bob)
    before = {path: path.read_bytes() for path in people.rglob("*.*")}
    for output in (anna, bob, tmp_path / "link", people):
        with pytest.raises(OutputNotEmpty, match="Nothing in it was changed"):
            run_on(f"{anna}\n{bob}", output)
    assert {path: path.read_bytes() for path in people.rglob("*.*")} == before
    for output in (anna / "mean", bob / "mean"):
        once, twice = (run_on(f"{anna}\n{bob}", output) for _ in range(2))
        assert once.photos == twice.photos == 4
        assert once.fingerprint == twice.fingerprint


def test_all_datasets_without_photos_are_named(run_on: RunOn, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.mov").touch()
    message = f"{tmp_path}/a, {tmp_path}/b: no photo in it. Passed over: videos: 2 ('a/a.mov', 'b/b.mov')"
    with pytest.raises(EmptyDataset) as refused:
        run_on(f"{tmp_path}/a\n{tmp_path}/b", tmp_path / "out")
    assert str(refused.value) == message


def test_archives_of_several_datasets_are_embedded(people: Path, run_on: RunOn, tmp_path: Path) -> None:
    anna, bob = sorted(people.iterdir())[:2]
    for number, folder in enumerate((anna, bob)):
        (tmp_path / str(number)).mkdir()
        shutil.make_archive(str(tmp_path / str(number) / "photos"), "tar", folder)
    packed = run_on(f"{tmp_path}/0/photos.tar\n{tmp_path}/1/photos.tar", tmp_path / "out")
    assert packed.mean == run_on(f"{anna}\n{bob}", tmp_path / "plain").mean
    assert sorted(path.name for path in (tmp_path / "out" / "shards").iterdir()) == ["0", "1"]
