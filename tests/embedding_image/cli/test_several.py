"""`meanface run A B` and `meanface plan A B --dry-run`, by real processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import meanface
from meanface.dataset import SAMPLE

ADA, EVE = SAMPLE / "grace_hopper", SAMPLE / "nikola_tesla"


@pytest.mark.long
def test_a_run_over_several_datasets(tmp_path: Path) -> None:
    meanface("run", ADA, EVE, "--labels", "top_folder", "-q", cwd=tmp_path)
    (output,) = tmp_path.iterdir()
    assert output.name == "grace_hopper-and-1-more-mean"
    result = json.loads((output / "result.json").read_text())
    assert (result["dataset"], result["photos"]) == (f"{ADA}, {EVE}", 4)
    assert result["settings"]["dataset"] == f"{ADA}\n{EVE}"
    report = (output / "report.html").read_text()
    assert f"meanface run {ADA} {EVE} --output RESULTS --labels top_folder" in report.replace("&#39;", "'")
    failed = (output / "failures.csv").read_text().splitlines()
    assert len(failed) == 1


@pytest.mark.parametrize("words", [[ADA, EVE], ["--dataset", f"{ADA}\n{EVE}\n"]])
def test_the_account_of_several_datasets(words: list[object], tmp_path: Path) -> None:
    done = meanface("plan", *words, "--dry-run", "--labels", "top_folder", "--workers", 1, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"dataset  {ADA}, {EVE}", "photos   4 (.jpg 4)"]
    assert "labels   2 (grace_hopper 2, nikola_tesla 2)" in lines
    assert lines[-1].startswith("time     about ")


def test_a_path_with_a_line_break_is_a_dataset_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "two\nlines").mkdir()
    (tmp_path / "two\nlines" / "a.jpg").write_bytes(next(ADA.iterdir()).read_bytes())
    alone = meanface("plan", "two\nlines", "--dry-run", cwd=tmp_path)
    assert "photos   1 (.jpg 1)" in alone.stdout
    refused = meanface("plan", "two\nlines", ADA, "--dry-run", cwd=tmp_path, expect=2)
    assert "has a line break, so it needs a run of its own" in refused.stderr


def test_the_dataset_is_given_one_way(tmp_path: Path) -> None:
    for words in ([], [ADA, "--dataset", EVE]):
        refused = meanface("plan", *words, "--dry-run", cwd=tmp_path, expect=2)
        assert "give the dataset once: as DATASET or as --dataset ADDRESS" in refused.stderr
    meanface("run", cwd=tmp_path, expect=2)
