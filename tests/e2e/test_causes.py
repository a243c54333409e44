"""What is wrong with a deployment is named in the log of the task that suffers from it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from photos import CHECKOUT
from release import NAME, Release

AIRFLOW = Path(sys.executable).with_name("airflow")


@pytest.fixture(scope="module")
def environment(release: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An Airflow on this machine whose stages run in the release, by its own settings."""
    home = tmp_path_factory.mktemp("airflow")
    config = json.loads(release.namespace.kubectl("get", "configmap", NAME, "-o", "json"))["data"]
    environment = os.environ | {name: value for name, value in config.items() if name.startswith("MEANFACE_")}
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "MEANFACE_POOL": "default_pool",
    }
    subprocess.run([AIRFLOW, "db", "migrate"], env=environment, check=True, capture_output=True, timeout=200)
    return environment


@pytest.fixture
def said(environment: dict[str, str], release: Release) -> Iterator[Callable[..., str]]:
    """What a run of the DAG says with some setting changed, up to the words that are waited for."""
    started: list[subprocess.Popen[str]] = []

    def read(words: str, seconds: float = 150, **changed: str) -> str:
        command = [AIRFLOW, "dags", "test", "meanface", "--conf", '{"dataset": "sample"}']
        run = subprocess.Popen(
            command,
            env=environment | changed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(run)
        overdue = threading.Timer(seconds, run.kill)
        overdue.start()
        lines = []
        assert run.stdout is not None
        for line in run.stdout:
            lines.append(line)
            if re.search(words, line):
                overdue.cancel()
                return line
        overdue.cancel()
        pytest.fail(f"{words!r} was never said: {''.join(lines[-40:])}")

    yield read
    for run in started:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
    pods = release.namespace.pods(instance=NAME, component="plan")
    if pods:
        release.namespace.kill(*pods)


def test_a_wrong_password(release: Release, said: Callable[..., str]) -> None:
    url = release.secret("meanface-redis", "url")
    password = re.search(r":([^:@/]+)@", url)
    assert password
    wrong = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "wrong"}}
    release.namespace.apply(wrong | {"stringData": {"url": url.replace(password[1], "guessed")}})
    line = said(r"exit code 2.*check user and password", MEANFACE_REDIS_SECRET="wrong")
    assert "guessed" not in line


def test_a_missing_image(said: Callable[..., str]) -> None:
    said(r"Image cannot be pulled|ErrImagePull|ImagePullBackOff", MEANFACE_IMAGE="meanface:absent")


def test_a_missing_claim(said: Callable[..., str]) -> None:
    said(r'persistentvolumeclaim "absent" not found', MEANFACE_STORAGE_CLAIM="absent")


def test_an_impossible_request(said: Callable[..., str]) -> None:
    said(r"Insufficient cpu", MEANFACE_RESOURCES='{"requests": {"cpu": "1000"}}')
