"""The usual options, the default output folder, and exit codes, by real processes without a terminal."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from commands import meanface
from meanface.cli.app import app
from meanface.dataset import SAMPLE

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.mark.parametrize("command", ["", *(pytest.param(each, marks=pytest.mark.long) for each in COMMANDS)])
def test_h_is_help_everywhere(command: str, tmp_path: Path) -> None:
    words = command.split()
    short, long = meanface(*words, "-h", cwd=tmp_path).stdout, meanface(*words, "--help", cwd=tmp_path).stdout
    assert short == long
    assert f"Usage: python -m meanface {command}".rstrip() in short


def test_the_version_is_one_line(tmp_path: Path) -> None:
    assert meanface("--version", cwd=tmp_path).stdout == f"meanface {version('meanface')}\n"


@pytest.mark.long
def test_a_run_without_output_names_its_folder_after_the_dataset_and_goes_on_in_it(tmp_path: Path) -> None:
    first = meanface("run", "sample", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sample-mean"]
    report = tmp_path / "sample-mean" / "report.html"
    assert first.stdout.splitlines()[-1] == f"report  {report}"
    assert report.exists()
    assert "planned" in first.stderr  # log lines, as there is no terminal
    assert "committed" in first.stderr
    again = meanface("run", "sample", "-q", cwd=tmp_path)
    assert (again.stdout, again.stderr) == (first.stdout, "")


@pytest.mark.long
def test_the_default_folder_belongs_to_one_run(tmp_path: Path) -> None:
    """A folder with other files, or of another run, is refused, and stays as it is."""
    (tmp_path / "grace_hopper-mean").mkdir()
    (tmp_path / "grace_hopper-mean" / "mine.txt").write_text("mine")
    refused = meanface("run", SAMPLE / "grace_hopper", cwd=tmp_path, expect=2)
    assert "OutputNotEmpty" in refused.stderr
    assert [path.name for path in (tmp_path / "grace_hopper-mean").iterdir()] == ["mine.txt"]
    meanface("run", SAMPLE / "eileen_collins", "-q", cwd=tmp_path)
    (tmp_path / "eileen_collins").mkdir()
    (tmp_path / "eileen_collins" / "other.jpg").write_bytes((SAMPLE / "grace_hopper/grace_hopper.jpg").read_bytes())
    other = meanface("run", "eileen_collins", "-q", cwd=tmp_path, expect=3)
    assert "holds a run over other photos" in other.stderr


def test_quiet_prints_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused = meanface("run", "empty", "-q", cwd=tmp_path, expect=3)
    assert refused.stdout == ""
    assert refused.stderr == "meanface: EmptyDataset: empty: no photo in it. Passed over: no files at all\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["version"], 0),
        (["run"], 2),
        (["run", "sample", "--sample", "0"], 2),
        (["run", "/no/such/place"], 2),
        (["run", "sample", "-o", "/proc/meanface"], 4),
    ],
)
def test_exit_codes_are_those_of_the_documentation(words: list[str], code: int, tmp_path: Path) -> None:
    meanface(*words, cwd=tmp_path, expect=code)
