"""make passes on to Airflow what it finds in the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
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


LEFT = (".venvs", ".local", ".cache")


@pytest.fixture
def clean(tmp_path: Path) -> Callable[[], subprocess.CompletedProcess[str]]:
    """`make clean` in a folder that has the Makefile, and what `LEFT` says."""
    shutil.copy(ROOT / "Makefile", tmp_path)

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", "-C", str(tmp_path), "clean"], capture_output=True, text=True, check=False)

    return run


def airflows_python(checkout: Path, script: str) -> None:
    """In place of the real one; what it is asked goes into `asked`."""
    python = checkout / ".venvs/airflow/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >>"{checkout}/asked"\n{script}\n')
    python.chmod(0o755)


def left(checkout: Path) -> set[str]:
    return {name for name in LEFT if (checkout / name).exists()}


def test_clean_needs_no_environment(clean: Callable[[], subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """Of a fresh clone, and of one whose environment is broken: that may be why somebody cleans."""
    assert clean().returncode == 0
    airflows_python(tmp_path, "exit 1")
    (tmp_path / ".local").mkdir()
    (tmp_path / ".cache").mkdir()
    assert clean().returncode == 0
    assert left(tmp_path) == set()


def test_clean_stops_what_is_up(clean: Callable[[], subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    airflows_python(tmp_path, "")
    assert clean().returncode == 0
    assert (tmp_path / "asked").read_text().splitlines()[-1] == "scripts/local.py down"
    assert left(tmp_path) == set()


@pytest.mark.parametrize("script", ['test "$2" = --help', "exit 1"], ids=["down fails", "broken"])
def test_clean_removes_nothing_from_under_what_is_up(
    script: str, clean: Callable[[], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    airflows_python(tmp_path, script)
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/services.json").touch()
    assert clean().returncode != 0
    assert left(tmp_path) == {".venvs", ".local"}
