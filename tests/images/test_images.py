"""The images without root, network, capabilities and shell, on a read-only root."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import uuid
from importlib.resources import files
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

import postgresql_image
from meanface.embedder.dlib_models import NETWORK_SHA256
from polling import until

CHECKOUT = Path(__file__).parents[2]
VERSION = tomllib.loads((CHECKOUT / "embedding_image" / "pyproject.toml").read_text())["project"]["version"]
DOCKER = os.environ.get("DOCKER", "docker")
CLOSED = ["--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp"]
SHELLS = ["/bin/sh", "/bin/bash"]

RUN = """
import json, os, pathlib, subprocess, sys
subprocess.run(["meanface", "run", *sys.argv[1:], "--output", "out"], check=True)
result = json.loads(pathlib.Path("out", "result.json").read_text())
groups = sorted({os.getgid(), *os.getgroups()})
print(json.dumps({"user": os.getuid(), "groups": groups, "result": result}))
"""
UNCOMPILED = """
import importlib.util, pathlib
sources = [file for file in pathlib.Path("/opt").rglob("*.py") if file.parent.name != "bin"]
assert len(sources) > 1000
print([str(file) for file in sources if not pathlib.Path(importlib.util.cache_from_source(file)).exists()])
"""


def docker(*words, check=True):
    return subprocess.run([DOCKER, *map(str, words)], capture_output=True, text=True, check=check)


def image(name, variant=""):
    """An image's full name; skips the test if it cannot be run."""
    if shutil.which(DOCKER) is None:
        pytest.skip(f"{DOCKER} is not installed")
    full = f"{os.environ.get('IMAGE_REGISTRY', '')}{name}:{os.environ.get('IMAGE_TAG', VERSION)}{variant}"
    if docker("version", check=False).returncode:
        pytest.skip(f"{DOCKER} has no daemon to talk to")
    if docker("image", "inspect", full, check=False).returncode:
        pytest.skip(f"there is no image {full}; `make images` builds it")
    return full


@pytest.fixture(params=["meanface", "meanface-airflow"])
def each(request):
    return image(request.param)


@pytest.fixture
def no_shell(tmp_path):
    """Options that replace every shell by a file that cannot be executed."""
    (nothing := tmp_path / "nothing").touch(mode=0o444)
    return [f"--volume={nothing}:{shell}:ro" for shell in SHELLS]


@pytest.fixture
def run(no_shell):
    """Runs an image without rights; its output."""

    def start(name, *words, options=("--network=none",)):
        done = docker("run", *CLOSED, *no_shell, *options, name, *words, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return start


@pytest.fixture
def state():
    """Options that mount the folders that Airflow may write."""
    volume = docker("volume", "create", f"meanface-test-{uuid.uuid4()}").stdout.strip()
    mounts = [f"--volume={volume}:/opt/airflow/state", "--tmpfs=/opt/airflow/logs:uid=50000"]
    yield [*mounts, "--env=MEANFACE_RUNTIME=kubernetes"]
    docker("volume", "rm", volume)


@pytest.fixture
def database(tmp_path):
    """Options that let Airflow reach only a PostgreSQL with the chart's script."""
    (tmp_path / "start.sh").write_text((CHECKOUT / "charts/meanface/files/postgresql.sh").read_text())
    (tmp_path / "password").write_text("word")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    options = ["--detach", *CLOSED, "--tmpfs=/data:uid=999", f"--volume={tmp_path}:/etc/meanface:ro", "--network=none"]
    command = ["sh", "/etc/meanface/start.sh", "/data", "/etc/meanface/password", "-c", "unix_socket_directories=/tmp"]
    server = docker("run", *options, postgresql_image.build(), *command).stdout.strip()
    until(lambda: docker("exec", server, "pg_isready", "--host=127.0.0.1", check=False).returncode == 0, 120)
    address = "postgresql+psycopg2://airflow:word@127.0.0.1:5432/airflow"
    yield [f"--network=container:{server}", f"--env=AIRFLOW__DATABASE__SQL_ALCHEMY_CONN={address}"]
    docker("rm", "--force", server)


@pytest.fixture
def bucket():
    """An S3 server with the sample in the bucket `photos`, and options to reach it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    s3 = fsspec.filesystem("s3", key="test", secret="test", endpoint_url=url, skip_instance_cache=True)
    s3.mkdir("photos")
    s3.put(str(files("meanface") / "dataset" / "sample" / "photos") + "/", "photos/", recursive=True)
    names = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "FSSPEC_S3_ENDPOINT_URL": url,
    }
    yield s3, ["--network=host", *(f"--env={name}={value}" for name, value in names.items())]
    server.stop()


def mean_here(folder, *options):
    """Result of the sample, computed by this environment."""
    command = Path(sys.executable).with_name("meanface")
    subprocess.run([command, "run", "sample", *options, "--output", folder], check=True, capture_output=True)
    return json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("embedder", ["dlib", "face_recognition"])
def test_the_mean_is_this_environments_to_the_last_bit(run, tmp_path, embedder):
    here = mean_here(tmp_path / "here", "--embedder", embedder)
    options = ["--network=none", "--entrypoint=python"]
    printed = run(image("meanface"), "-c", RUN, "sample", "--embedder", embedder, options=options)
    found = json.loads(printed.splitlines()[-1])
    assert (found["user"], found["groups"]) == (10001, [10001])
    assert found["result"]["mean"] == here["mean"]
    assert found["result"]["fingerprint"] == here["fingerprint"]


def test_it_reads_and_writes_buckets(run, tmp_path, bucket):
    s3, options = bucket
    run(image("meanface"), "run", "s3://photos/", "--output", "s3://photos/results", options=options)
    s3.invalidate_cache()
    assert json.loads(s3.cat("photos/results/result.json"))["mean"] == mean_here(tmp_path / "here")["mean"]


def test_the_image_contains_the_network(run):
    assert f"meanface {VERSION}\n" in run(image("meanface"), "version")
    assert f"resnet_model_v1.dat  sha256:{NETWORK_SHA256}" in run(image("meanface"), "model")


def test_airflow_imports_the_dag_for_a_cluster(run, state, request):
    name = image("meanface-airflow")
    state += request.getfixturevalue("database")
    run(name, "db", "migrate", options=state)
    run(name, "dags", "reserialize", options=state)
    errors = run(name, "dags", "list-import-errors", "--output", "json", options=state)
    dags = run(name, "dags", "list", "--output", "json", options=state)
    assert json.loads(errors.splitlines()[-1]) == []
    assert [dag["dag_id"] for dag in json.loads(dags.splitlines()[-1])] == ["meanface"]


def test_airflow_has_both_drivers_for_postgresql(run, state):
    address = "--env=AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://user:word@127.0.0.1:1/airflow"
    program = "from airflow import settings; print(settings.engine.driver, settings.async_engine.driver)"
    options = [*state, address, "--network=none", "--entrypoint=python"]
    found = run(image("meanface-airflow"), "-c", program, options=options)
    assert found.splitlines()[-1] == "psycopg2 asyncpg"


def test_airflow_without_a_database_names_what_is_missing(state):
    options = [*CLOSED, *state, "--network=none"]
    done = docker("run", *options, image("meanface-airflow"), "db", "check", check=False)
    assert done.returncode != 0
    assert "airflow__database__sql_alchemy_conn.is-not-set" in (done.stdout + done.stderr).lower()


def test_the_image_contains_all_bytecode(run, each):
    assert run(each, "-c", UNCOMPILED, options=["--entrypoint=python"]).strip() == "[]"


def test_its_labels_describe_it(each):
    (found,) = json.loads(docker("image", "inspect", each).stdout)
    name = each.rpartition(":")[0].rpartition("/")[2]
    user, command = {"meanface": ("10001:10001", "meanface"), "meanface-airflow": ("50000:0", "airflow")}[name]
    assert (found["Config"]["User"], found["Config"]["Entrypoint"]) == (user, [command])
    labels = {label.rpartition(".")[2]: text for label, text in found["Config"]["Labels"].items()}
    assert labels["title"] == name
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == VERSION
    assert labels["revision"] != "unknown"
    assert len(labels["description"]) > 20


def test_its_sbom_has_the_interpreter_and_debians_packages(run, each, tmp_path):
    sbom = tmp_path / "sbom.json"
    sbom.write_text(json.dumps({"bomFormat": "CycloneDX", "components": []}))
    subprocess.run([sys.executable, CHECKOUT / "scripts" / "image_sbom.py", sbom, each], check=True)
    found = {component["purl"].partition("?")[0] for component in json.loads(sbom.read_text())["components"]}
    version = run(each, "-c", "import platform; print(platform.python_version())", options=["--entrypoint=python"])
    assert f"pkg:generic/python@{version.strip()}" in found
    dpkg = run(each, "-W", "-f", "${Version}", "libc6", options=["--entrypoint=dpkg-query"])
    assert f"pkg:deb/debian/libc6@{dpkg.strip().replace('+', '%2B')}" in found


@pytest.mark.parametrize(("variant", "megabytes", "compressed"), [("", 600, 260), ("-slim", 400, 170)])
def test_images_stay_small(variant, megabytes, compressed):
    name = image("meanface", variant)
    assert int(docker("inspect", "--format", "{{.Size}}", name).stdout) <= megabytes * 1e6
    with subprocess.Popen([DOCKER, "save", name], stdout=subprocess.PIPE) as saved:
        packed = subprocess.run(["gzip"], stdin=saved.stdout, stdout=subprocess.PIPE, check=True).stdout
    assert saved.returncode == 0
    assert len(packed) <= compressed * 1e6


def test_the_slim_image_has_the_same_bits_and_names_what_it_lacks(run, no_shell):
    slim = image("meanface", "-slim")
    options = ("--network=none", "--entrypoint=python")
    full, other = (
        json.loads(run(name, "-c", RUN, "sample", options=options).splitlines()[-1])["result"]
        for name in (image("meanface"), slim)
    )
    assert (other["mean"], other["fingerprint"]) == (full["mean"], full["fingerprint"])
    wanted = {"--embedder=face_recognition": "meanface[reference]", "--landmarks=large": "not slim"}
    for option, advice in wanted.items():
        done = docker("run", *CLOSED, *no_shell, "--network=none", slim, "run", "sample", option, check=False)
        assert done.returncode == 2
        assert advice in done.stderr
