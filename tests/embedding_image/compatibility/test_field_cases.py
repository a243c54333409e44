"""Inputs as people have them, by `meanface run`; skipped where `shared` is not beside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from field_cases import CASES, Case, made_cases, needs_cases

pytestmark = [pytest.mark.long, needs_cases]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with made_cases(tmp_path_factory.mktemp("field")) as folder:
        yield folder


def meanface(*words: object, code: int = 0) -> str:
    """Run a command with one worker; its output, both streams."""
    command = [sys.executable, "-m", "meanface", *map(str, words)]
    environment = os.environ | {"MEANFACE_PRIVATE_ADDRESSES": "127.0.0.0/8"}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def run(dataset: Path, output: Path, *options: str) -> dict[str, Any]:
    """The result of a run."""
    meanface("run", dataset, "--output", output, "--workers", 1, *options)
    return dict(json.loads((output / "result.json").read_text()))


def options(case: Case) -> list[str]:
    """The settings of a case as options of the command line."""
    words = [(f"--{name.replace('_', '-')}", value) for name, value in case.settings.items()]
    return [word for name, value in words for word in ([name] if value == "true" else [name, value])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.dataset} {' '.join(case.settings)}".strip())
def test_every_photo_counts_once_under_its_label(case: Case, cases: Path, tmp_path: Path) -> None:
    result = run(cases / case.dataset, tmp_path / "result", *options(case))
    case.check(result)
    if case.labels:
        table = pq.read_table(tmp_path / "result" / result["artifacts"]["label_means"])
        assert tuple(table["label"].to_pylist()) == case.labels


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        ("linked/set", "linked folders: 1 ('ann'), not entered: set follow_links"),
        ("linked/hub/snapshots/abc", "a link that leads out of the dataset: set follow_links"),
    ],
)
def test_a_link_that_is_not_followed_is_named_with_the_option(
    dataset: str, reason: str, cases: Path, tmp_path: Path
) -> None:
    assert reason in meanface("run", cases / dataset, "--output", tmp_path / "result", code=3)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("case", "photos", "output"),
    [("someone_elses_output", "photos", "thesis"), ("output_is_input", ".", ".")],
)
def test_a_folder_with_other_files_is_refused_and_not_one_of_them_changes(
    case: str, photos: str, output: str, cases: Path
) -> None:
    place = cases / case
    before = contents(place)
    for more in ((), ("--face-pixels",), ("--limit", "1")):
        printed = meanface("run", place / photos, "--output", place / output, *more, code=2)
        assert str((place / output).resolve()) in printed
        assert contents(place) == before


def test_a_result_inside_its_dataset_is_no_photo_of_it(cases: Path, tmp_path: Path) -> None:
    place = shutil.copytree(cases / "output_inside_input", tmp_path / "photos")
    first, second = (run(place, place / "results") for _ in range(2))
    assert (first["photos"], second["photos"]) == (2, 2)
    assert second["mean"] == first["mean"]


def test_one_photo_more_is_embedded_alone(cases: Path, tmp_path: Path) -> None:
    place = shutil.copytree(cases / "one_more_photo", tmp_path / "photos")
    assert run(place / "again", tmp_path / "result")["photos"] == 1
    shutil.copy(place / "added/b.jpg", place / "again/b.jpg")
    grown = run(place / "again", tmp_path / "result")
    assert (grown["photos"], grown["outcomes"]["ok"], grown["photos_reused"]) == (2, 2, 1)
