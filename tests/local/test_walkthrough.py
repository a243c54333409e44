"""The commands of docs/walkthrough.md for a laptop work as written."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from machine import CHECKOUT, Laptop

from laptop.api import Airflow
from polling import until

TEXT = (CHECKOUT / "docs/walkthrough.md").read_text().partition("## On a cluster")[0]
COMMANDS = re.findall(r"^    (\S.*)$", TEXT.replace("\\\n      ", ""), re.MULTILINE)
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """Output of each command; the states of the runs before the last command; and the home.

    The environment has the settings of another PostgreSQL.
    """
    laptop = Laptop(tmp_path_factory.mktemp("home"))
    outputs = {}
    # A make that is called by another make, as in `make test`, also prints its folder.
    shell = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    try:
        for command in COMMANDS:
            if command == "make down":
                states = ended(laptop)
            # The settings of a sourced file last as long as their shell.
            sourced = command if command.startswith(("make", ".")) else f". .local/environment; {command}"
            done = subprocess.run(
                ["bash", "-c", sourced.replace(".local", str(laptop.home))],
                check=False,
                cwd=CHECKOUT,
                env=shell | {"MEANFACE_HOME": str(laptop.home), "PGPORT": "1", "PGSERVICE": "none"},
                capture_output=True,
                text=True,
                timeout=280,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            outputs[command] = done.stdout
            if command.startswith("airflow backfill create"):
                ended(laptop)
        yield outputs, states, laptop
    finally:
        laptop.do("down")


def ended(laptop):
    """Wait until all runs have ended; their states by name."""
    secrets = json.loads((laptop.home / "secrets.json").read_text())
    with Airflow(f"http://127.0.0.1:{laptop.saved()['ui_port']}", secrets["ui_password"]) as client:
        client.log_in()

        def all_ended():
            states = client.runs("manual") | client.runs("backfill")
            return set(states.values()) <= {"success", "failed"} and states

        return until(all_ended, 240, every=1)


def output(outputs, beginning):
    return next(text for command, text in outputs.items() if command.startswith(beginning))


def test_the_document_has_these_commands():
    words = {tuple(command.split()[:2]) for command in COMMANDS}
    assert {("make", "up"), ("make", "airflow"), ("airflow", "backfill"), ("make", "down")} <= words


def test_every_run_succeeds(walked):
    _, states, _ = walked
    assert sorted(states.values()) == ["success"] * 4


def test_the_last_line_of_a_run_is_the_reports_path(walked):
    outputs, _, laptop = walked
    name, path = output(outputs, "make run").splitlines()[-1].split()
    assert name == "report"
    assert path.startswith(str(laptop.home / "storage/runs"))
    assert "<html" in Path(path).read_text()


def test_both_lists_of_runs_have_the_days(walked):
    outputs, _, _ = walked
    for beginning in ("airflow dags list-runs", "make airflow"):
        assert len(set(re.findall(r"backfill__2026-01-0[234]", output(outputs, beginning)))) == 3


def test_the_series_is_at_the_documented_path(walked):
    _, _, laptop = walked
    series = json.loads((laptop.home / "storage/series/january/result.json").read_text())
    assert series["photos"] == 21


def test_the_settings_file_is_removed_when_airflow_stops(walked):
    _, _, laptop = walked
    assert not (laptop.home / "environment").exists()
