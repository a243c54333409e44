"""Components that end are restarted or given up; after any kill the next start works."""

import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest
from machine import Laptop

from laptop import database, sessions
from laptop.api import Airflow
from laptop.home import Home
from laptop.services import ServiceError, Services
from laptop.watch import MAX_RESTARTS, Watch, WatchLog
from polling import until

COMPONENTS = ("scheduler", "api-server", "dag-processor", "triggerer", "valkey", "postgresql")


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """Everything up, in a folder with blanks and a path that is too long for a socket."""
    laptop = Laptop(tmp_path_factory.mktemp("a home, with a name of its own") / "50% $more" / ("x" * 60))
    laptop.home.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MEANFACE_STORAGE", str(tmp_path_factory.mktemp("results")))
        try:
            started = laptop.do("up")
            assert started.returncode == 0, started.stderr
            assert f"storage     {os.environ['MEANFACE_STORAGE']}\n" in started.stdout
            yield laptop
        finally:
            assert laptop.do("down").returncode == 0
    assert not laptop.processes()


def session(laptop, name):
    return next(one for one in laptop.saved()["sessions"] if one["name"] == name)


def client(laptop):
    secrets = json.loads((laptop.home / "secrets.json").read_text())
    return Airflow(f"http://127.0.0.1:{laptop.saved()['ui_port']}", secrets["ui_password"])


@pytest.mark.long
@pytest.mark.parametrize("name", COMPONENTS)
def test_a_killed_component_is_restarted_and_its_log_continues(up, name):
    before = session(up, name)
    log = (up.home / "logs" / f"{name}.log").read_bytes()
    psutil.Process(before["id"]).kill()
    after = until(lambda: session(up, name)["id"] != before["id"] and session(up, name))
    assert (up.home / "logs" / f"{name}.log").read_bytes().startswith(log)
    until(lambda: f"{name} ended and was restarted" in (up.home / "logs/watch.log").read_text())
    assert psutil.Process(after["id"]).is_running()


@pytest.mark.long
def test_a_run_succeeds_after_all_these_kills(up):
    done = up.do("run")
    assert done.returncode == 0, done.stderr
    report = Path(done.stdout.splitlines()[-1].removeprefix("report      "))
    assert report.is_relative_to(os.environ["MEANFACE_STORAGE"])
    assert report.exists()


@pytest.mark.long
def test_a_run_continues_when_the_scheduler_is_killed_meanwhile(up, slow, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for photo in sorted(slow.iterdir())[:40]:
        (few / photo.name).hardlink_to(photo)
    with up.start("run", "--dataset", str(few)) as command:
        until(lambda: up.stages("embed"))
        psutil.Process(session(up, "scheduler")["id"]).kill()
        out, err = command.communicate(timeout=280)
    assert "scheduler ended and was restarted" in out
    assert "no face" in err or "NoFace" in err  # grey squares have none, so the run ended by itself


@pytest.mark.long
def test_after_everything_is_killed_at_once_it_starts_again(up):
    saved, log = up.saved(), (up.home / "logs/scheduler.log").read_bytes()
    for one in [session(up, "watch"), *saved["sessions"]]:
        for process in up.processes():
            if process.pid == one["id"]:
                process.kill()
    again = up.do("up")
    assert again.returncode == 0, again.stderr
    assert "stopping processes of an interrupted command" in again.stdout
    with client(up) as airflow:
        airflow.log_in()
        assert airflow.runs("manual")  # the database has kept its runs
    assert (up.home / "logs/scheduler.log.1").read_bytes().startswith(log)


@pytest.mark.long
def test_the_process_id_of_a_dead_server_may_be_another_process_now(up):
    assert up.do("down").returncode == 0
    lock = up.home / "database/18/postmaster.pid"
    lock.write_text(f"1\n{lock.parent}\n0\n5432\n/socket\n\n0 0\nready\n")
    again = up.do("up")
    assert again.returncode == 0, again.stderr


def test_both_locks_of_a_killed_server_are_removed(tmp_path):
    """A zombie process keeps its id."""
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    database.data_folder(home).mkdir()
    locks = [database.data_folder(home) / "postmaster.pid", home.database / f"{database.SOCKET}.lock"]
    for lock in locks:
        lock.write_text("1\n")
    database.clean_up(home, str(home.database))
    assert [lock for lock in locks if lock.exists()] == []


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """Services with one component, which ends right after its start."""
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    program = sessions.Program("scheduler", [sys.executable, "-c", "print('no luck')"], {})
    monkeypatch.setattr(Services, "programs", lambda *_: {"scheduler": program})
    started = sessions.start(program, home.logs / "scheduler.log")
    return Services(home, 1, 2, str(home.database), str(home.storage), kept=True, sessions=[started])


def test_a_component_that_ends_repeatedly_stays_down_and_a_run_fails(failing):
    found = []
    watch = Watch(failing, {}, found.append)
    for _ in range(MAX_RESTARTS + 3):
        until(lambda: not failing.sessions[0].alive())
        watch.check()
    assert [" was restarted" in text for text in found] == [True] * MAX_RESTARTS + [False]
    assert "stays down" in found[-1]
    with pytest.raises(ServiceError, match=r"(?s)scheduler has ended.*no luck"):
        failing.check()


def test_setting_the_clock_restarts_nothing(failing, monkeypatch):
    started = psutil.Process.create_time
    running = sessions.start(sessions.Program("scheduler", ["sleep", "600"], os.environ), failing.home.logs / "log")
    failing.sessions = [running]
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: started(self) + 1)
    Watch(failing, {}, pytest.fail).check()
    assert failing.sessions == [running]
    failing.stop()
    assert sessions.exit_code(running) == -signal.SIGTERM


def test_a_stop_succeeds_while_another_process_has_the_port(failing):
    with socket.create_server(("127.0.0.1", 0)) as server:
        failing.ui_port = server.getsockname()[1]
        failing.stop()
    assert Services.load(failing.home) is None
    assert failing.sessions == []


def test_components_of_another_version_are_refused(failing):
    failing._save()
    note = failing.home.path / "services.json"
    saved = json.loads(note.read_text())
    (session,) = saved["sessions"]
    for other in (saved | {"more": 1}, {key: value for key, value in saved.items() if key != "storage"}):
        note.write_text(json.dumps(other))
        with pytest.raises(ServiceError, match=f"another version of meanface.*pkill -s {session['id']}; rm {note}"):
            Services.load(failing.home)
    note.write_text(json.dumps(saved))
    failing.stop()


def test_new_lines_of_the_log_are_complete(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    file = home.logs / "watch.log"
    file.write_text("before\n")
    log = WatchLog(home)
    assert log.new_lines() == []
    file.write_text("before\none\ntw")
    assert log.new_lines() == ["one"]
    file.write_text("before\none\ntwo\n")
    assert log.new_lines() == ["two"]
    shutil.rmtree(home.path)
    assert log.new_lines() == []
