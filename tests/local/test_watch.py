"""A component that ends is started again, or somebody is told; whatever is killed, the next start works."""

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
from laptop.services import NotStarted, Services
from laptop.watch import RESTARTS, News, Watch
from polling import until

COMPONENTS = ("scheduler", "api-server", "dag-processor", "triggerer", "valkey", "postgresql")


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A laptop with everything up, in a folder whose name has blanks and is too long for a socket.

    Results go elsewhere.
    """
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
    return next(one for one in laptop.noted()["sessions"] if one["name"] == name)


def client(laptop):
    secrets = json.loads((laptop.home / "secrets.json").read_text())
    return Airflow(f"http://127.0.0.1:{laptop.noted()['ui_port']}", secrets["ui_password"])


@pytest.mark.long
@pytest.mark.parametrize("name", COMPONENTS)
def test_a_killed_component_is_started_again_and_its_log_goes_on(up, name):
    before = session(up, name)
    log = (up.home / "logs" / f"{name}.log").read_bytes()
    psutil.Process(before["id"]).kill()
    after = until(lambda: session(up, name)["id"] != before["id"] and session(up, name))
    assert (up.home / "logs" / f"{name}.log").read_bytes().startswith(log)
    until(lambda: f"{name} had ended and was started again" in (up.home / "logs/watch.log").read_text())
    assert psutil.Process(after["id"]).is_running()


@pytest.mark.long
def test_after_all_that_a_run_still_comes_to_its_end(up):
    done = up.do("run")
    assert done.returncode == 0, done.stderr
    report = Path(done.stdout.splitlines()[-1].removeprefix("report      "))
    assert report.is_relative_to(os.environ["MEANFACE_STORAGE"])
    assert report.exists()


@pytest.mark.long
def test_a_run_goes_on_when_the_scheduler_is_killed_in_its_midst(up, slow, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for photo in sorted(slow.iterdir())[:40]:
        (few / photo.name).hardlink_to(photo)
    with up.start("run", "--dataset", str(few)) as command:
        until(lambda: up.stages("embed"))
        psutil.Process(session(up, "scheduler")["id"]).kill()
        out, err = command.communicate(timeout=280)
    assert "scheduler had ended and was started again" in out
    assert "no face" in err or "NoFace" in err  # grey squares have none: the run came to its own end


@pytest.mark.long
def test_everything_killed_at_once_leaves_a_laptop_that_starts(up):
    noted, log = up.noted(), (up.home / "logs/scheduler.log").read_bytes()
    for one in [session(up, "watch"), *noted["sessions"]]:
        for process in up.processes():
            if process.pid == one["id"]:
                process.kill()
    again = up.do("up")
    assert again.returncode == 0, again.stderr
    assert "stopping what an interrupted command left" in again.stdout
    with client(up) as airflow:
        airflow.log_in()
        assert airflow.runs("manual")  # the database has what it had
    assert (up.home / "logs/scheduler.log.1").read_bytes().startswith(log)


@pytest.mark.long
def test_the_number_of_a_dead_server_may_be_another_process_by_now(up):
    assert up.do("down").returncode == 0
    lock = up.home / "database/18/postmaster.pid"
    lock.write_text(f"1\n{lock.parent}\n0\n5432\n/socket\n\n0 0\nready\n")
    again = up.do("up")
    assert again.returncode == 0, again.stderr


def test_both_locks_of_a_killed_server_are_removed(tmp_path):
    """A process that nobody has collected yet keeps its number."""
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    database.data(home).mkdir()
    locks = [database.data(home) / "postmaster.pid", home.database / f"{database.SOCKET}.lock"]
    for lock in locks:
        lock.write_text("1\n")
    database.release(home, str(home.database))
    assert [lock for lock in locks if lock.exists()] == []


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """Services with one component, which ends as soon as it is started."""
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    program = sessions.Program("scheduler", [sys.executable, "-c", "print('no luck')"], {})
    monkeypatch.setattr(Services, "programs", lambda *_: {"scheduler": program})
    started = sessions.start(program, home.logs / "scheduler.log")
    return Services(home, 1, 2, str(home.database), str(home.storage), kept=True, sessions=[started])


def test_what_ends_again_and_again_stays_down_and_a_run_is_told(failing):
    found = []
    watch = Watch(failing, {}, found.append)
    for _ in range(RESTARTS + 3):
        until(lambda: not failing.sessions[0].alive())
        watch.look()
    assert [" started again" in text for text in found] == [True] * RESTARTS + [False]
    assert "stays down" in found[-1]
    with pytest.raises(NotStarted, match=r"(?s)scheduler has ended.*no luck"):
        failing.check()


def test_nothing_has_ended_when_the_clock_is_set(failing, monkeypatch):
    started = psutil.Process.create_time
    running = sessions.start(sessions.Program("scheduler", ["sleep", "600"], os.environ), failing.home.logs / "log")
    failing.sessions = [running]
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: started(self) + 1)
    Watch(failing, {}, pytest.fail).look()
    assert failing.sessions == [running]
    failing.stop()
    assert sessions.exit_code(running) == -signal.SIGTERM


def test_a_stop_ends_though_somebody_else_has_taken_a_port(failing):
    with socket.create_server(("127.0.0.1", 0)) as server:
        failing.ui_port = server.getsockname()[1]
        failing.stop()
    assert Services.found(failing.home) is None
    assert failing.sessions == []


def test_what_another_version_has_started_is_named(failing):
    failing._save()
    note = failing.home.path / "services.json"
    noted = json.loads(note.read_text())
    (session,) = noted["sessions"]
    for other in (noted | {"more": 1}, {key: value for key, value in noted.items() if key != "storage"}):
        note.write_text(json.dumps(other))
        with pytest.raises(NotStarted, match=f"another version of meanface.*pkill -s {session['id']}; rm {note}"):
            Services.found(failing.home)
    note.write_text(json.dumps(noted))
    failing.stop()


def test_news_are_whole_lines_that_come_after(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    log = home.logs / "watch.log"
    log.write_text("before\n")
    news = News(home)
    assert news.lines() == []
    log.write_text("before\none\ntw")
    assert news.lines() == ["one"]
    log.write_text("before\none\ntwo\n")
    assert news.lines() == ["two"]
    shutil.rmtree(home.path)
    assert news.lines() == []
