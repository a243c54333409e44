"""Backfilled days, a series over them, and added photos, on a claim and in a bucket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pytest
from photos import CHECKOUT, Desk, here, portraits
from release import MASTER, NAMESPACE, VALUES, Release

from canaries import leaks
from laptop.api import Airflow
from polling import until

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
PYTHON = CHECKOUT / ".venvs" / "meanface" / "bin" / "python"
CANARIES = {"AWS_ACCESS_KEY_ID": "canary-key-e7c1", "AWS_SECRET_ACCESS_KEY": "canary/+secret%&-e7c1"}
KEYS = CANARIES | {"AWS_DEFAULT_REGION": "us-east-1"}
BUCKET_IO = """
import sys
import fsspec
with fsspec.open(sys.argv[2], sys.argv[1]) as file:
    sys.stdout.buffer.write(file.read()) if sys.argv[1] == "rb" else file.write(sys.stdin.buffer.read())
"""


class Place(Protocol):
    """The place of a release's photos and files."""

    release: Release
    photos: str
    files: str

    def put(self, path: str, data: bytes) -> None:
        """Write a file."""

    def read(self, path: str) -> str:
        """Read a file."""


class Claim:
    """A storage claim."""

    photos, files = "/storage/datasets", "/storage"

    def __init__(self, release: Release, desk: Desk) -> None:
        self.release, self._desk = release, desk

    def put(self, path: str, data: bytes) -> None:
        """Write a file."""
        self._desk.put(path, data)

    def read(self, path: str) -> str:
        """Read a file."""
        return self._desk.python("import sys; print(open(sys.argv[1]).read())", path)


class Bucket:
    """A bucket of moto's server on this machine."""

    photos, files = "s3://photos", "s3://results/meanface"

    def __init__(self, release: Release, endpoint: str) -> None:
        self.release = release
        self._environment = os.environ | KEYS | {"FSSPEC_S3_ENDPOINT_URL": endpoint}

    def put(self, path: str, data: bytes) -> None:
        """Write a file."""
        subprocess.run([PYTHON, "-c", BUCKET_IO, "wb", path], input=data, check=True, env=self._environment)

    def read(self, path: str) -> str:
        """Read a file."""
        command = [PYTHON, "-c", BUCKET_IO, "rb", path]
        return subprocess.run(command, check=True, env=self._environment, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(scope="module")
def moto(cluster: None) -> Iterator[str]:
    """Endpoint of an S3 server on this machine that pods can reach."""
    found = subprocess.run(["ip", "-4", "-br", "addr", "show", "docker0"], check=False, capture_output=True, text=True)
    if found.returncode:
        pytest.skip("no address of this machine is known that pods reach (docker0)")
    host = found.stdout.split()[2].partition("/")[0]
    with socket.create_server((host, 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([PYTHON, "-m", "moto.server", "-H", host, "-p", str(port)], stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, port)) == 0

    until(answers, 60)
    make = "import s3fs; fs = s3fs.S3FileSystem(); fs.mkdir('photos'); fs.mkdir('results')"
    endpoint = f"http://{host}:{port}"
    subprocess.run([PYTHON, "-c", make], check=True, env=os.environ | KEYS | {"FSSPEC_S3_ENDPOINT_URL": endpoint})
    yield endpoint
    server.kill()
    server.wait()


@pytest.fixture(scope="module")
def bucket(moto: str) -> Iterator[Bucket]:
    """A release with a bucket instead of a claim, which is uninstalled at the end."""
    release = Release(f"{NAMESPACE}-s3", VALUES | {"storage": {"url": Bucket.files, "secret": "bucket"}})
    release.namespace.delete()
    release.namespace.kubectl("create", "namespace", release.namespace.name)
    keys = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "bucket"}}
    release.namespace.apply(keys | {"stringData": KEYS | {"FSSPEC_S3_ENDPOINT_URL": moto}})
    release.install()
    release.until_ready()
    yield Bucket(release, moto)
    release.uninstall()
    until(lambda: not release.namespace.pods(), 120, every=1)
    release.namespace.delete()


@pytest.fixture(params=["claim", "bucket"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each place in turn."""
    if request.param == "bucket":
        found: Place = request.getfixturevalue("bucket")
        return found
    return Claim(request.getfixturevalue("release"), request.getfixturevalue("desk"))


def test_days_a_series_and_a_day_again(place: Place, tmp_path: Path) -> None:
    photos = portraits()
    together = tmp_path / "together"
    together.mkdir()

    def put(day: str, name: str, photo: Path) -> None:
        place.put(f"{place.photos}/days/{day}/{name}", photo.read_bytes())
        (together / f"{day}-{name}").write_bytes(photo.read_bytes())

    for day, of_day in zip(DAYS, (photos[0::3], photos[1::3], photos[2::3]), strict=True):
        for photo in of_day:
            put(day, photo.name, photo)
    conf = {"dataset": f"{place.photos}/days/%Y-%m-%d", "series": "days"}
    place.release.backfill(DAYS[0], DAYS[-1], conf)
    runs = place.release.finished_days(DAYS)
    assert set(runs.values()) == {"success"}
    assert series(place) == (list(DAYS), here(together, tmp_path / "first")["mean"])

    put(DAYS[1], "one-more.jpg", next(photo for photo in photos if photo.name == "astronaut.jpg"))
    place.release.backfill(DAYS[1], DAYS[1], conf, "--reprocess-behavior", "completed")
    again = place.release.finished_days(DAYS)
    assert set(again) == set(runs)
    assert set(again.values()) == {"success"}
    assert series(place) == (list(DAYS), here(together, tmp_path / "again")["mean"])


def series(place: Place) -> tuple[list[str], list[float]]:
    """Days of the series, and its mean."""
    result = json.loads(place.read(f"{place.files}/series/days/result.json"))
    return [each["interval"][:10] for each in result["intervals"]], result["mean"]


def test_only_new_photos_are_computed(place: Place, tmp_path: Path) -> None:
    photos, prefix = portraits(), f"{place.photos}/growing"
    together = tmp_path / "together"
    together.mkdir()

    def put(*numbers: int) -> None:
        for number in numbers:
            photo = photos[number % len(photos)]
            place.put(f"{prefix}/{number:03}{photo.suffix}", photo.read_bytes())
            (together / f"{number:03}{photo.suffix}").write_bytes(photo.read_bytes())

    def photos_reused() -> int:
        name = place.release.trigger(dataset=prefix, partition_size=4, face_pixels=False)
        mean = place.release.succeeded(name)
        assert mean == here(together, tmp_path / name)["mean"]
        reused: int = place.release.summary(name)["photos_reused"]
        return reused

    put(*range(1, 13))
    assert photos_reused() == 0
    put(0, 13, 14, 15)
    assert photos_reused() == 12


def test_no_secret_is_visible_in_the_cluster(bucket: Bucket) -> None:
    """In pods, logs, events, XComs and rendered templates of a good and a failed run."""
    release = bucket.release
    secrets = CANARIES | {
        "redis": release.secret("meanface-redis", "password"),
        "database": release.secret("meanface-postgresql", "password"),
        "admin": release.password,
        "fernet": release.secret("meanface-airflow", "fernet-key"),
    }
    for photo in portraits():
        bucket.put(f"{bucket.photos}/secret/{photo.name}", photo.read_bytes())
    visible: dict[str, str] = {}
    for dataset in (f"{bucket.photos}/secret", "s3://absent/photos"):
        run = release.trigger(dataset=dataset, partition_size=4)

        def watched(run: str = run) -> bool:
            for kind in ("pods", "events", "configmaps"):
                visible[f"{kind} {len(visible)}"] = release.namespace.kubectl("get", kind, "-o", "json")
            for stage in ("plan", "embed", "reduce"):
                for pod in release.stage_pods(run, stage):
                    visible[f"log of {pod}"] = release.namespace.kubectl("logs", pod, may_fail=True)
            return release.ask(lambda airflow: airflow.state(run)) in ("success", "failed")

        until(watched, 600, every=0.5)
        visible.update(release.ask(lambda airflow, run=run: run_texts(airflow, run)))
    visible["Airflow"] = release.namespace.kubectl("logs", MASTER, "--all-containers", "--tail=-1")
    visible["PostgreSQL"] = release.namespace.kubectl("logs", "meanface-postgresql-0", "--tail=-1")
    assert any("--dataset=" in text for text in visible.values())
    assert any("mean_vector" in name for name in visible)
    assert any("Pausing task as DEFERRED" in text for text in visible.values())
    assert {name: leaks(text, secrets) for name, text in visible.items() if leaks(text, secrets)} == {}


def run_texts(airflow: Airflow, run: str) -> dict[str, str]:
    """All texts of a run in Airflow: tasks with their rendered templates, logs, XComs."""
    found: dict[str, str] = {}
    for task in airflow.tasks(run):
        name = f"{run} {task['task_id']} {task['map_index']}"
        found[name] = json.dumps(task)
        if task["state"] in ("success", "failed"):
            found[f"{name} log"] = "\n".join(airflow.log(run, task))
        entries = f"/api/v2/dags/meanface/dagRuns/{quote(run)}/taskInstances/{task['task_id']}/xcomEntries"
        for each in airflow.get(f"{entries}?map_index={task['map_index']}")["xcom_entries"]:
            value = airflow.get(f"{entries}/{each['key']}?map_index={task['map_index']}")
            found[f"{name} {each['key']}"] = json.dumps(value)
    return found
