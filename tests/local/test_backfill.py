"""A backfill by Airflow's command while every core is busy and other runs are triggered.

`make test-backfill` fills in 31 days; DAYS chooses another number, and `make test-long` takes three.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta

import httpx
import pytest
from machine import CHECKOUT, Laptop

from laptop.api import Airflow
from polling import until

DAYS = int(os.environ.get("DAYS") or 3)
FIRST = date(2026, 1, 1)
LAST = FIRST + timedelta(days=DAYS - 1)
SAMPLE = CHECKOUT / "embedding_image/src/meanface/dataset/sample/photos"
FACES = sorted(photo for photo in SAMPLE.glob("*/*") if photo.parent.name != "no_face")
FACELESS = SAMPLE / "no_face" / "chelsea.jpg"
STAGES = CHECKOUT / ".venvs/meanface/bin/meanface"
pytestmark = [pytest.mark.long, pytest.mark.timeout(900 + 120 * DAYS)]
WRONG = re.compile(rb"\blocked\b|Traceback", re.IGNORECASE)


def runs(client, kind):
    """Read the state of each run; nothing while the API server is too busy to answer."""
    try:
        return client.runs(kind)
    except httpx.TimeoutException:
        return {}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder for each day, with a face or two of the sample and its photo without one; the days differ."""
    root = tmp_path_factory.mktemp("days")
    for number in range(DAYS):
        folder = root / (FIRST + timedelta(days=number)).strftime("%Y/%m/%d")
        folder.mkdir(parents=True)
        for photo in {FACES[number % len(FACES)], FACES[number // 2 % len(FACES)], FACELESS}:
            shutil.copy(photo, folder / photo.name)
    return root


@pytest.fixture(scope="module")
def busy():
    """A busy process for each core."""
    computing = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    yield
    for process in computing:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def filled(tmp_path_factory, photos, busy):
    """The home after the backfill and two runs, the command's output, and each run's state."""
    laptop = Laptop(tmp_path_factory.mktemp("home"))
    try:
        started = laptop.do("up")
        assert started.returncode == 0, started.stderr
        secrets = json.loads((laptop.home / "secrets.json").read_text())
        conf = {"dataset": f"{photos}/%Y/%m/%d", "series": "daily"}
        dates = ("--from-date", FIRST.isoformat(), "--to-date", LAST.isoformat())
        named = ("--dag-id", "meanface", "--dag-run-conf", json.dumps(conf))
        with (
            Airflow(f"http://127.0.0.1:{laptop.saved()['ui_port']}", secrets["ui_password"]) as client,
            laptop.start("airflow", "backfill", "create", *named, *dates) as command,
        ):
            client.log_in()
            names = [client.trigger({"dataset": "sample"}) for _ in range(2)]
            printed = "".join(command.communicate(timeout=300))
            assert command.returncode == 0, printed
            until(lambda: len(runs(client, "backfill")) == DAYS, 300)

            def ended():
                found = runs(client, "backfill") | runs(client, "manual")
                return len(found) == DAYS + len(names) and set(found.values()) <= {"success", "failed"} and found

            states = until(ended, 300 + 90 * DAYS, every=2)
            assert set(names) < states.keys()
        yield laptop, printed, states
    finally:
        laptop.do("down")


def test_every_run_succeeds(filled):
    _, _, states = filled
    assert len(states) == DAYS + 2
    assert {name: state for name, state in states.items() if state != "success"} == {}


def test_the_series_has_the_bits_of_one_run_over_all_photos(filled, photos, tmp_path):
    laptop, _, _ = filled
    subprocess.run([STAGES, "run", photos, "--output", tmp_path / "one"], check=True, capture_output=True)
    one = json.loads((tmp_path / "one" / "result.json").read_text())
    series = json.loads((laptop.home / "storage/series/daily/result.json").read_text())
    assert one["faces"] >= DAYS
    assert (series["mean"], series["faces"], series["photos"]) == (one["mean"], one["faces"], one["photos"])


def test_no_log_has_a_locked_database_or_a_traceback(filled):
    laptop, printed, _ = filled
    logs = [path for path in laptop.home.joinpath("logs").rglob("*") if path.is_file()]
    assert {"scheduler.log", "api-server.log", "dag-processor.log", "postgresql.log"} <= {path.name for path in logs}
    assert len([path for path in logs if "run_id=backfill" in str(path)]) >= 4 * DAYS
    texts = {str(path): path.read_bytes() for path in logs} | {"airflow backfill create": printed.encode()}
    found = {name: [line for line in text.splitlines() if WRONG.search(line)][:3] for name, text in texts.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}
