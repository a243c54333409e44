"""Commands of docs/operations.md, with a real PostgreSQL, real files, and the names of the chart's objects."""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from .test_database import PASSWORD, PROGRAMS, server
from .test_separate import PRODUCTION

__all__ = ["server"]
PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
DAY = 86_400


def section(title):
    """Text of a section of the page."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


class Container:
    """Runs commands as in PostgreSQL's container, which sets these variables."""

    def __init__(self, server):
        self._server = server
        names = {"PGHOST": str(server.folder), "PGPORT": str(server.port), "PGUSER": "airflow", "PGDATABASE": "airflow"}
        self._environment = names | {"PATH": f"{PROGRAMS}:{os.defpath}"}

    def run(self, command, **streams):
        done = subprocess.run(["sh", "-c", command], env=self._environment, check=False, **streams)
        return done.returncode

    def dump(self, path):
        (command,) = re.findall(r"exec statefulset/meanface-postgresql -- (.*) > airflow\.dump", section("Backup"))
        with path.open("wb") as file:
            assert self.run(command, stdout=file) == 0

    def restore(self, path):
        """Exit code of the command."""
        text = section("Backup")
        (command,) = re.findall(r"(?s)exec -i statefulset/meanface-postgresql -- (.*) < airflow\.dump", text)
        with path.open("rb") as file:
            return self.run(command, stdin=file)

    def execute(self, statement):
        with closing(self._connected()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def tables(self):
        """Names of the tables, if their owner and that of the database is Airflow's role."""
        tables = "SELECT array_agg(tablename::text ORDER BY tablename) FROM pg_tables WHERE tableowner = 'airflow'"
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        assert self._server.inside(owner) == ("airflow",)
        return self._server.inside(tables)[0]

    def _connected(self):
        return psycopg2.connect(self._server.address(PASSWORD).replace("+psycopg2", ""))


@pytest.fixture
def container(server):
    """PostgreSQL's container, with a table."""
    server.start(PASSWORD)
    found = Container(server)
    found.execute("CREATE TABLE earlier AS SELECT 1 AS number; ALTER TABLE earlier ADD PRIMARY KEY (number)")
    return found


def test_a_restore_leaves_no_table_of_a_later_version(container, server, tmp_path):
    """Its foreign keys stop `pg_restore --clean`. A connection that is left does not prevent the restore."""
    container.dump(tmp_path / "dump")
    container.execute("UPDATE earlier SET number = 2; CREATE TABLE later (number integer REFERENCES earlier)")
    with closing(container._connected()):
        assert container.restore(tmp_path / "dump") == 0
    assert container.tables() == ["earlier"]
    assert server.inside("SELECT number FROM earlier") == (1,)
    assert server.connects(PASSWORD) == ""  # and creates a table


def test_a_damaged_dump_leaves_the_database_as_it_was(container, tmp_path):
    container.dump(tmp_path / "dump")
    container.execute("CREATE TABLE later (number integer)")
    whole = (tmp_path / "dump").read_bytes()
    (tmp_path / "damaged").write_bytes(whole[: len(whole) // 2])
    assert container.restore(tmp_path / "damaged") != 0
    assert container.tables() == ["earlier", "later"]
    assert container.restore(tmp_path / "dump") == 0
    assert container.tables() == ["earlier"]


def test_a_restore_stops_and_starts_every_deployment_of_airflow(render):
    release = render(PRODUCTION)
    processes = {f"demo-meanface-{name}" for name in ("api-server", "scheduler", "dag-processor", "triggerer")}
    (selector,) = re.findall(r"AIRFLOW=(\S+)", section("Backup"))
    labels = dict(each.split("=") for each in selector.split(",")) | {"app.kubernetes.io/instance": "demo"}
    found = {name: each["metadata"]["labels"] for name, each in release.of("Deployment").items()}
    assert {name for name, of_object in found.items() if labels.items() <= of_object.items()} == processes
    assert 'kubectl scale deployment --selector "$AIRFLOW" --replicas 0' in section("Backup")
    started = re.findall(r"kubectl scale deployment/(\S+) --replicas [1-9]", section("Backup"))
    assert {f"demo-{name}" for name in started} == processes


def test_a_new_password_restarts_the_pods_that_copy_it(render):
    restarted = re.findall(r"kubectl rollout restart deployment/([\w-]+)", section("Rotate the passwords"))
    pods = {
        name: {volume["name"] for volume in each["spec"]["template"]["spec"]["volumes"]}
        for name, each in render(PRODUCTION).of("Deployment").items()
    }
    assert {f"demo-{name}" for name in restarted} == {name for name, volumes in pods.items() if "passwords" in volumes}


def test_old_task_logs_are_removed_from_the_claim(render, tmp_path):
    folder = render().environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    (command,) = re.findall(r"find .*-delete", section("Remove old task logs"))
    assert folder in command
    paths = {name: tmp_path / name for name in ("mixed/old", "mixed/new", "old/log", "empty")}
    for name, path in paths.items():
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if name == "empty" else path.write_text(name)
    for path in (paths["mixed/old"], paths["old/log"], paths["empty"]):
        os.utime(path, (time.time() - 92 * DAY,) * 2)
    subprocess.run(["sh", "-c", command.replace(folder, str(tmp_path))], check=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"mixed", "mixed/new", "old"}
