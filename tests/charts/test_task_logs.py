"""Task logs in a bucket: with the chart's settings, an uploaded log is removed from its pod."""

from __future__ import annotations

import io
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

SOURCE = Path(__file__).parents[2] / "airflow_image/bucket_logs.py"
PATH = "dag_id=meanface/run_id=r/task_id=plan/attempt=1.log"
KEY = f"logs/{PATH}"


class Bucket:
    """A client of S3 with one bucket. `meanwhile` is called while an object is written."""

    class exceptions:  # noqa: N801 - the client's name
        NoSuchKey = KeyError

    def __init__(self):
        self.objects = {}
        self.meanwhile = lambda: None

    def get_object(self, **request):
        return {"Body": io.BytesIO(self.objects[request["Key"]])}

    def put_object(self, **request):
        self.meanwhile()
        self.objects[request["Key"]] = request["Body"]


@pytest.fixture
def bucket():
    return Bucket()


@pytest.fixture
def pod(render, bucket, monkeypatch, tmp_path):
    """Makes the object that uploads logs from the folder `tmp_path`, by the chart's settings."""

    def made(**config):
        values = {"logs": {"url": "s3://faces/logs"}, "config": {"logging": config}}
        environment = render({"airflow": values}).environment
        for name, value in (environment | {"AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path)}).items():
            if name.startswith("AIRFLOW__LOGGING__"):
                monkeypatch.setenv(name, value)
        spec = spec_from_file_location("bucket_logs_of_a_pod", SOURCE)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(module, "_client", lambda _process: bucket)
        return module.REMOTE_TASK_LOG

    return made


@pytest.fixture
def log(tmp_path):
    """A task's log, with a line."""
    path = tmp_path / PATH
    path.parent.mkdir(parents=True)
    path.write_text("one\n")
    return path


def test_an_uploaded_log_is_removed_with_its_empty_folder(pod, bucket, log):
    pod().upload(PATH)
    assert bucket.objects == {KEY: b"one\n"}
    assert not log.parent.exists()
    assert log.parents[1].exists()


def test_the_bucket_has_the_whole_log_of_a_task_that_waited(pod, bucket, log):
    logs = pod()
    logs.upload(PATH)
    log.parent.mkdir()
    log.write_text("two\n")
    logs.upload(PATH)
    assert bucket.objects == {KEY: b"one\ntwo\n"}


def test_other_logs_of_the_folder_stay(pod, log):
    other = log.with_name("attempt=2.log")
    other.write_text("two\n")
    pod().upload(PATH)
    assert [path.name for path in log.parent.iterdir()] == [other.name]


def test_a_log_that_grows_during_its_upload_stays(pod, bucket, log):
    """The task goes on in this pod already."""
    logs = pod()
    bucket.meanwhile = lambda: log.write_text("one\ntwo\n")
    logs.upload(PATH)
    assert log.read_text() == "one\ntwo\n"
    logs.upload(PATH)
    assert bucket.objects == {KEY: b"one\ntwo\n"}
    assert not log.exists()


def test_a_log_whose_upload_fails_stays(pod, bucket, log):
    def fails():
        raise EndpointConnectionError(endpoint_url="https://bucket.example")

    bucket.meanwhile = fails
    pod().upload(PATH)
    assert log.read_text() == "one\n"


def test_logs_stay_if_the_values_say_so(pod, bucket, log):
    pod(delete_local_logs=False).upload(PATH)
    assert bucket.objects == {KEY: b"one\n"}
    assert log.exists()
