"""PostgreSQL of a local Airflow, alone."""

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from laptop import components, database, sessions
from laptop.home import Home
from laptop.services import Services
from polling import until


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a database, whose path contains a symbolic link."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "disk").mkdir()
    (folder / "link").symlink_to("disk")
    home = Home.of({"MEANFACE_HOME": str(folder / "link")})
    subprocess.run(
        database.create_command(database.data_folder(home)),
        check=True,
        stdout=subprocess.DEVNULL,
        env=database.ENVIRONMENT,
    )
    return home


@pytest.fixture
def running(made):
    """The server of that home."""
    session = sessions.start(components.postgresql(made, str(made.database)), made.logs / "postgresql.log")
    until(lambda: database.is_ready(str(made.database)))
    yield session
    sessions.stop([session])
    database.clean_up(made, str(made.database))


def test_only_processes_of_a_killed_server_are_killed_in_its_folder(made, running):
    with subprocess.Popen(["sh"], cwd=database.data_folder(made), stdin=subprocess.PIPE) as shell:
        database.clean_up(made, str(made.database))
        assert sessions.exit_code(running) is not None
        assert not sessions._members([running])
        shell.communicate(b"exit 3\n")
    assert shell.returncode == 3


@pytest.mark.parametrize("name", ["PGPORT", "PGHOST", "PGDATABASE", "PGUSER"])
def test_the_settings_of_another_database_are_not_used(made, running, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert database.is_ready(str(made.database))
    with create_engine(database.address(str(made.database))).connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def test_a_stop_by_another_path_of_the_home_keeps_the_database(made):
    linked = Services(made, 1, 2, database.socket_folder(made), str(made.storage), kept=True)
    linked._save()
    Services.load(Home.of({"MEANFACE_HOME": str(made.path.resolve())})).stop()
    assert (database.data_folder(made) / "PG_VERSION").exists()


def test_a_socket_folder_outside_the_home_is_removed(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path / ("x" * 120))})
    folder = Path(database.socket_folder(home))
    for name in (database.SOCKET, f"{database.SOCKET}.lock"):
        (folder / name).touch()
    database.remove_socket_folder(home, str(folder))
    assert not folder.exists()
