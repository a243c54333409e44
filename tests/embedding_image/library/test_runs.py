"""`meanface.run` and `meanface.open`: the command's bits, as Python objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import meanface
from meanface.library.runs import _addresses
from meanface.outcome import Outcome

SAMPLE_FACES = 6


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> meanface.Result:
    folder = tmp_path_factory.mktemp("run") / "result"
    return meanface.run("sample", folder, labels="parent_folder", workers=1)


def test_a_result_has_the_figures(result: meanface.Result) -> None:
    assert (result.faces, result.photos) == (SAMPLE_FACES, 7)
    assert result.outcomes == dict.fromkeys(map(str, Outcome), 0) | {"ok": 6, "no_face": 1}
    assert (result.mean.dtype, result.mean.shape) == (np.float64, (128,))
    assert result.mean.tolist() == result.summary.mean


def test_embeddings_are_those_of_the_mean(result: meanface.Result) -> None:
    table = result.embeddings()
    assert table.column_names == ["photo", "face", "box", "score", "label", "embedding"]
    assert table["photo"].to_pylist() == sorted(table["photo"].to_pylist())
    assert set(table["label"].to_pylist()) == {"eileen_collins", "grace_hopper", "nikola_tesla"}
    assert table["box"][0].as_py() == {"top": 76, "right": 225, "bottom": 166, "left": 135}
    rows = np.array(table["embedding"].to_pylist(), np.float32)
    assert meanface.Result.at(result.address).moments == result.moments
    assert type(result.moments).of(rows) == result.moments


def test_it_is_opened_by_folder_file_and_path(result: meanface.Result) -> None:
    for address in (result.address, f"{result.address}/result.json", Path(result.address)):
        assert meanface.open(address).moments == result.moments


def test_another_call_reads_the_finished_run(result: meanface.Result) -> None:
    ledger = sorted(Path(result.address).rglob("ledger/**/*.parquet"))
    before = [file.stat().st_mtime_ns for file in ledger]
    again = meanface.run("sample", result.address, labels="parent_folder")
    assert again.moments == result.moments
    assert before == [file.stat().st_mtime_ns for file in ledger]


@pytest.mark.long
def test_bits_and_files_are_those_of_the_command(result: meanface.Result, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "meanface", "run", "sample", "--labels", "parent_folder", "-o", tmp_path / "other"]
    subprocess.run(command, check=True, capture_output=True)
    other = meanface.open(tmp_path / "other")
    assert other.moments == result.moments
    assert other.summary.fingerprint == result.summary.fingerprint
    assert other.embeddings() == result.embeddings()


def test_several_datasets_are_a_list() -> None:
    assert _addresses([Path("one"), "two"]) == "one\ntwo"
    with pytest.raises(meanface.SettingsError, match="line break"):
        _addresses(["one\nmore", "two"])
    with pytest.raises(meanface.SettingsError, match="name at least one"):
        _addresses([])


def test_errors_are_typed(tmp_path: Path, result: meanface.Result) -> None:
    with pytest.raises(meanface.SettingsError, match="labels='other'"):
        meanface.run("sample", tmp_path, labels="other")
    with pytest.raises(meanface.SettingsError, match="no_such_setting"):
        meanface.run("sample", tmp_path, no_such_setting=1)
    with pytest.raises(meanface.SettingsError, match="workers=0"):
        meanface.run("sample", tmp_path, workers=0)
    with pytest.raises(meanface.DatasetNotFound):
        meanface.run(tmp_path / "missing", tmp_path / "output")
    with pytest.raises(meanface.DatasetNotFound, match="holds no result"):
        meanface.open(tmp_path)
    with pytest.raises(meanface.Conflict):
        meanface.run("sample", result.address, faces="all")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/letter.txt").touch()
    with pytest.raises(meanface.OutputNotEmpty):
        meanface.run("sample", tmp_path / "taken")


def test_a_result_shows_itself(result: meanface.Result) -> None:
    assert repr(result) == "Result(6 faces in 6 of 7 photos)"
    html = result._repr_html_()
    assert html.count("<img") == 1
    assert "data:image/png;base64," in html
    assert "<td" in html
    assert "6 in 6 of 7 photos" in html
