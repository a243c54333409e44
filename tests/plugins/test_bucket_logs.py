"""Task logs in a bucket: written and read through a server with the protocol of S3."""

from __future__ import annotations

import doctest
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from laptop.services import unused_port
from polling import until

CHECKOUT = Path(__file__).parents[2]
PYTHON = CHECKOUT / ".venvs/meanface/bin/python"
PATH = "dag_id=meanface/run_id=r/task_id=plan/attempt=1.log"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server with the bucket `faces`."""
    port = unused_port()
    server = subprocess.Popen(
        [PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    )

    def made() -> bool:
        with suppress(OSError), urlopen(Request(f"http://127.0.0.1:{port}/faces", method="PUT"), timeout=10) as answer:
            return bool(answer.status == 200)
        return False

    try:
        until(made, 180)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def logs(address, monkeypatch, tmp_path):
    """The module's class, as the image has it, with a folder in the bucket for this test."""
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (keys | {"AWS_ENDPOINT_URL": address}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER", f"s3://faces/{tmp_path.name}")
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path))
    monkeypatch.syspath_prepend(CHECKOUT / "airflow_image")
    import bucket_logs

    bucket_logs._client.cache_clear()
    yield lambda pod="pod": bucket_logs.BucketLogs(f"s3://faces/{tmp_path.name}", tmp_path / pod)
    bucket_logs._client.cache_clear()


def write(folder: Path, text: str) -> None:
    file = folder / PATH
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.long
def test_a_log_that_two_pods_wrote_is_read_as_one(logs, tmp_path):
    write(tmp_path / "a", "one\n")
    logs("a").upload(PATH)
    write(tmp_path / "b", "two\n")
    logs("b").upload(PATH)
    logs("b").upload(PATH)
    sources, text = logs("c").read(PATH, None)
    assert (sources, text) == ([f"s3://faces/{tmp_path.name}/{PATH}"], ["one\ntwo\n"])


@pytest.mark.long
def test_the_triggerers_log_is_read_with_the_tasks(logs, tmp_path):
    write(tmp_path / "a", "task\n")
    logs("a").upload(PATH)
    (tmp_path / "a" / f"{PATH}.trigger.7.log").write_text("trigger\n")
    logs("a").upload(f"{PATH}.trigger.7.log")
    assert logs("b").read(PATH, None)[1] == ["task\n", "trigger\n"]


@pytest.mark.long
def test_a_missing_log_is_none(logs):
    assert logs().read("dag_id=other/attempt=1.log", None) == ([], None)


@pytest.mark.long
def test_a_server_that_is_away_fails_no_task_and_is_named(logs, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port()}")
    write(tmp_path / "a", "one\n")
    logs("a").upload(PATH)
    assert "A task log cannot be uploaded" in capsys.readouterr().out
    assert (tmp_path / "a" / PATH).read_text() == "one\n"
    (message,), text = logs("a").read(PATH, None)
    assert text is None
    assert "cannot be read: EndpointConnectionError" in message


def test_parts_of_a_log_are_merged(logs):
    import bucket_logs

    assert doctest.testmod(bucket_logs).failed == 0
    assert doctest.testmod(bucket_logs).attempted == 4
