"""make passes on to Airflow what it finds in the environment."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_deployments_settings_are_left_alone(tmp_path: Path) -> None:
    """A variable of the Makefile would take the place of one that is inherited."""
    settings = ROOT / "plugins/meanface_airflow/settings.py"
    names = [line.split(":")[0].strip() for line in settings.read_text().splitlines() if line.startswith("    ")]
    given = {f"MEANFACE_{name.upper()}": "as given" for name in names if name.isidentifier()}
    assert "MEANFACE_ENV" in given
    makefile = tmp_path / "makefile"
    makefile.write_text(f"include {ROOT}/Makefile\nshow:\n\t@env\n")
    command = ["make", "--no-print-directory", "-C", str(ROOT), "-f", str(makefile), "show"]
    shown = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=True).stdout
    assert {f"{name}=as given" for name in given} <= set(shown.splitlines())


LITERAL = [
    "it's",
    'a "b"',
    "a$b",
    "$$",
    "$(shell touch made)",
    "`touch made`",
    "#x",
    "two  blanks ",  # blanks before the first letter are lost to make, as it reads assignments
    "a\\b",
    "${HOME}",
    "a;b&c|d",
]


@pytest.mark.parametrize("name", ["DATASET", "ARGS"])
@pytest.mark.parametrize("value", LITERAL)
@pytest.mark.parametrize("inherited", [False, True])
def test_a_value_reaches_programs_unchanged(name: str, value: str, inherited: bool, tmp_path: Path) -> None:
    makefile = tmp_path / "makefile"
    makefile.write_text(f"include {ROOT}/Makefile\nshow:\n\t@printenv {name}\n")
    command = ["make", "--no-print-directory", "-C", str(tmp_path), "-f", str(makefile), "show"]
    environment = os.environ | ({name: value} if inherited else {})
    words = [] if inherited else [f"{name}={value}"]
    shown = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, check=True).stdout
    assert shown == f"{value}\n"
    assert not (tmp_path / "made").exists()


def test_no_recipe_hands_a_value_to_a_shell_as_text() -> None:
    recipes = [line for line in (ROOT / "Makefile").read_text().splitlines() if "DATASET" in line or "ARGS" in line]
    assert [line for line in recipes if re.search(r"(?<!if )\$\((DATASET|ARGS)\)", line)] == []


@pytest.mark.parametrize("wrong", ["dataset=photos", "DATASETS=photos", "args=--labels"])
@pytest.mark.parametrize("target", ["run", "airflow", "help"])
def test_a_variable_that_does_not_exist_is_refused(wrong: str, target: str) -> None:
    done = subprocess.run(["make", "-C", str(ROOT), target, wrong], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"{wrong.partition('=')[0]}: no such variable" in done.stderr
    assert "DATASET" in done.stderr


def test_every_variable_of_the_help_exists() -> None:
    text = (ROOT / "Makefile").read_text()
    named = {
        name
        for brackets in re.findall(r"^[a-z0-9-]+:.*##.*\[([^\]]*)\]$", text, re.MULTILINE)
        for name in re.findall(r"\b[A-Z][A-Z0-9_]+\b(?!\])", brackets.partition('="')[0])
    }
    assert {"DATASET", "AVX2", "CONFIRM", "SCHEDULES"} <= named
    words = [f"{name}=1" for name in sorted(named - {"SEED"})]
    done = subprocess.run(["make", "-C", str(ROOT), "help", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


LEFT = (".venvs", ".local", ".cache")


def copy_for_clean(folder: Path) -> None:
    """The files that `make clean` needs."""
    (folder / "scripts").mkdir()
    for name in ("Makefile", "scripts/clean.sh"):
        shutil.copy(ROOT / name, folder / name)


@pytest.fixture
def clean(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`make clean` in a folder that has the Makefile, its program, and the files in `LEFT`."""
    copy_for_clean(tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "-C", str(tmp_path), "clean", *words]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    return run


def airflows_python(checkout: Path, script: str) -> None:
    """In place of the real one; what it is asked goes into `asked`."""
    python = checkout / ".venvs/airflow/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >>"{checkout}/asked"\n{script}\n')
    python.chmod(0o755)


def left(checkout: Path) -> set[str]:
    return {name for name in LEFT if (checkout / name).exists()}


def test_clean_needs_no_environment(clean: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """In a fresh clone, and with a broken environment, which may be the reason for cleaning."""
    assert clean().returncode == 0
    airflows_python(tmp_path, "exit 1")
    (tmp_path / ".local").mkdir()
    (tmp_path / ".cache").mkdir()
    assert clean().returncode == 0
    assert left(tmp_path) == set()


def test_clean_first_prints_what_it_removes(
    clean: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Before it looks for anything that is up, which takes a while."""
    (tmp_path / ".cache").mkdir()
    airflows_python(tmp_path, 'echo "$2" >&2')
    assert clean().stdout.splitlines()[1:4] == [
        "make clean removes .venvs .cache",
        "stopping Airflow",
        "removing .venvs .cache",
    ]


def test_clean_stops_a_running_airflow(clean: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    airflows_python(tmp_path, "")
    assert clean().returncode == 0
    assert (tmp_path / "asked").read_text().splitlines()[-1] == "scripts/local.py down"
    assert left(tmp_path) == set()


@pytest.mark.parametrize("script", ['test "$2" = --help', "exit 1"], ids=["down fails", "broken"])
def test_clean_removes_nothing_under_a_running_airflow(
    script: str, clean: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    airflows_python(tmp_path, script)
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/services.json").touch()
    assert clean().returncode != 0
    assert left(tmp_path) == {".venvs", ".local"}


def test_clean_asks_before_it_removes_results(
    clean: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Without a terminal it removes nothing, and does not wait for an answer."""
    result = tmp_path / ".local/storage/runs/one/result.json"
    result.parent.mkdir(parents=True)
    result.touch()
    for words in ([], ["CONFIRM=y"], ["CONFIRM="]):
        refused = clean(*words)
        assert refused.returncode != 0
        assert "CONFIRM=yes" in refused.stderr
        assert result.exists()
    assert clean("CONFIRM=yes").returncode == 0
    assert left(tmp_path) == set()


def test_clean_accepts_only_a_typed_yes(tmp_path: Path) -> None:
    copy_for_clean(tmp_path)
    for answer, removed in (("no", False), ("", False), ("yes", True)):
        (tmp_path / ".local/storage/runs").mkdir(parents=True, exist_ok=True)
        ours, theirs = pty.openpty()
        command = ["make", "-C", str(tmp_path), "clean"]
        with subprocess.Popen(command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as make:
            os.write(ours, f"{answer}\n".encode())
            assert (make.wait(timeout=60) == 0) == removed
        os.close(ours)
        os.close(theirs)
        assert (tmp_path / ".local").exists() != removed


def test_the_makefile_fits_a_screen_and_help_names_every_target() -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    assert len(lines) <= 90
    targets = {name for line in lines if (name := line.partition(":")[0]) and re.match(r"[a-z0-9-]+: ?(?!=)", line)}
    shown = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in shown.splitlines() if line.startswith("  ")} == targets
    headings = [line for line in shown.splitlines() if re.match(r"[A-Z]", line)]
    assert headings == ["Every day", "Long suites", "Maintenance"]


def test_a_silent_command_is_reported_and_its_exit_code_is_kept(tmp_path: Path) -> None:
    script = tmp_path / "patiently.py"
    script.write_text((ROOT / "scripts/patiently.py").read_text().replace("SILENCE = 12.0", "SILENCE = 0.1"))
    done = subprocess.run(
        [sys.executable, script, "set-up", "sh", "-c", "echo begins; sleep 3; echo ends >&2; exit 7"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    reports = [line for line in lines if line.startswith("set-up: still running after")]
    assert ([line for line in lines if line not in reports], done.returncode) == (["begins", "ends"], 7)
    between = lines[lines.index("begins") + 1 : lines.index("ends")]  # a busy machine may report before it begins
    assert between
    assert set(between) <= set(reports)
