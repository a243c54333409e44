"""Whole runs in Google Cloud Storage and on the Hugging Face Hub, against servers of the tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from commands import meanface
from gcs import gcs_server, photos_bucket, put
from hub import Repository, hub
from meanface.dataset import SAMPLE
from meanface.pipeline import plan
from meanface.results.result import ResultRecord
from meanface.settings import Settings
from meanface.storage.files import Storage

PHOTOS = {file.relative_to(SAMPLE).as_posix(): file.read_bytes() for file in sorted(SAMPLE.rglob("*.jpg"))}

pytestmark = pytest.mark.long


class Place:
    """A bucket or repository with the sample's photos in a folder, a way to write to it, and a place for runs."""

    def __init__(self, base: str, write: Callable[[str, bytes], object], storage: str) -> None:
        self.base, self.write, self.storage = base, write, storage
        self.photos = f"{base}/photos"
        for name, data in PHOTOS.items():
            write(f"photos/{name}", data)


@pytest.fixture(params=["gs", "hf"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Place]:
    """The sample in a bucket, which holds the runs as well; or in a repository of the Hub."""
    if request.param == "gs":
        with gcs_server() as server, photos_bucket(server, monkeypatch) as fs:
            yield Place("gs://photos/2026", lambda name, data: put(fs, f"2026/{name}", data), "gs://photos/meanface")
        return
    with hub() as server:
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": server.url, "token": False})
        server.repositories["ada/faces"] = Repository()
        write = server.repositories["ada/faces"].main.__setitem__
        yield Place("hf://datasets/ada/faces", write, str(tmp_path / "storage"))


@pytest.fixture(scope="module")
def of_folder(run_on: Any, tmp_path_factory: pytest.TempPathFactory) -> ResultRecord:
    """The result of the same photos in a folder."""
    found: ResultRecord = run_on(SAMPLE, tmp_path_factory.mktemp("folder"))
    return found


def test_photos_there_have_the_folders_mean_and_are_reused(
    place: Place, of_folder: ResultRecord, new_shared: Any, reused: Any
) -> None:
    shared = new_shared(place.storage)
    first = shared.result("first", f"{place.photos}/")
    assert (first.mean, first.standard_error, first.outcomes) == (
        of_folder.mean,
        of_folder.standard_error,
        of_folder.outcomes,
    )
    second = shared.result("second", f"{place.photos}/")
    assert (second.photos_reused, second.mean) == (len(PHOTOS), first.mean)
    place.write(f"photos/{min(PHOTOS)}", PHOTOS[max(PHOTOS)])
    run = shared.embedded("third", f"{place.photos}/")
    assert sum(sum(each.values()) for each in reused(run)) == len(PHOTOS) - 1
    assert shared.reduce(run).mean == shared.elsewhere().result("alone", f"{place.photos}/").mean


def test_a_list_and_a_glob_have_the_same_mean(place: Place, of_folder: ResultRecord, new_shared: Any) -> None:
    rows = io.StringIO()
    csv.writer(rows).writerows([["url"], *([f"{place.photos}/{name}"] for name in PHOTOS)])
    place.write("list.csv", rows.getvalue().encode())
    shared = new_shared(place.storage)
    for name, dataset in {"list": f"{place.base}/list.csv", "glob": f"{place.base}/photos/*/*.jpg"}.items():
        result = shared.result(name, dataset)
        assert (result.mean, result.outcomes) == (of_folder.mean, of_folder.outcomes)


def test_a_photo_that_changes_between_plan_and_embed_fails_alone(place: Place, new_shared: Any) -> None:
    shared = new_shared(place.storage)
    run = shared.run("changed")
    plan(run, Settings.of(dataset=place.photos, max_failed_fraction=0.5))
    changed = min(PHOTOS)
    place.write(f"photos/{changed}", PHOTOS[changed][:-1] + b"\0")
    shared.embed(run)
    result = shared.reduce(run)
    assert (result.outcomes["unreadable"], sum(result.outcomes.values())) == (1, len(PHOTOS))


def test_the_command_line_reads_and_writes_there(
    place: Place, of_folder: ResultRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf, output = fsspec.config.conf, str(tmp_path / "results")
    if place.base.startswith("gs"):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", conf["gs"]["endpoint_url"])
        monkeypatch.setenv("FSSPEC_GS_TOKEN", "anon")
        output = "gs://photos/results"
    else:
        monkeypatch.setenv("HF_ENDPOINT", conf["hf"]["endpoint"])
        refused = meanface("run", place.photos, "--output", f"{place.base}/results", cwd=tmp_path, expect=2)
        assert "is only read: choose a folder or a bucket for the results" in refused.stderr
    done = meanface("run", place.photos, "--output", output, cwd=tmp_path)
    result = ResultRecord.model_validate_json(Storage(output).read("result.json"))
    assert (result.mean, result.dataset) == (of_folder.mean, place.photos)
    assert done.stderr.count("\n") < 20  # no log of the libraries
