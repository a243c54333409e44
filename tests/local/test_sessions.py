import errno
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from laptop import sessions
from laptop.services import claimed_port, is_free, unused_port
from polling import until

SCRIPTS = Path(sessions.__file__).parents[1]

TREE = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"], process_group=0)
print("started", flush=True)
time.sleep(600)
"""


def start(tmp_path, *command, feed=""):
    return sessions.start(sessions.Program("tree", command, os.environ, feed), tmp_path / "log")


def test_stop_ends_other_process_groups_and_processes_that_ignore_sigterm(tmp_path):
    session = start(tmp_path, "python3", "-c", TREE)
    until(lambda: "started" in session.last_lines())
    members = psutil.Process(session.id).children(recursive=True)
    assert members
    assert session.alive()
    sessions.stop([session], grace=0.1)
    assert not session.alive()
    assert not [one for one in members if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


WAITING = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: print("stopping", flush=True))
child = subprocess.Popen([sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"])
print("child ended by", -child.wait(), flush=True)
"""


@pytest.mark.parametrize("whole", [False, True])
def test_sigterm_is_for_the_program_or_for_all_of_its_processes(tmp_path, whole):
    """A stopping program may wait for its child; then it only ends without SIGKILL if the child
    gets SIGTERM.
    """
    parent = sessions.Program("parent", [sys.executable, "-c", WAITING], os.environ, whole=whole)
    session = sessions.start(parent, tmp_path / "log")
    until(lambda: "ready" in session.last_lines())
    sessions.stop([session], grace=20 if whole else 0.2)
    assert "stopping" in session.last_lines()
    assert (f"child ended by {int(signal.SIGTERM)}" in session.last_lines()) == whole


def test_stop_ends_processes_that_outlived_their_program(tmp_path):
    session = start(tmp_path, "bash", "-c", "sleep 600 & echo $!")
    until(lambda: not session.alive() and session.last_lines())
    left = psutil.Process(int(session.last_lines()))
    assert left.status() != psutil.STATUS_ZOMBIE
    sessions.stop([session])
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_a_later_process_with_the_same_id_is_left_alone(tmp_path):
    session = start(tmp_path, "sleep", "600")
    earlier = sessions.Session(session.name, session.id, session.identity - 100, session.log)
    assert not earlier.alive()
    sessions.stop([earlier])
    assert session.alive()
    sessions.stop([session])


@pytest.fixture
def set_clock(monkeypatch):
    """Changes the start times of processes as setting the system's clock does."""
    before = psutil.Process.create_time
    return lambda seconds: monkeypatch.setattr(psutil.Process, "create_time", lambda self: before(self) + seconds)


@pytest.mark.parametrize("seconds", [1, -3600])
def test_a_program_stays_itself_when_the_clock_is_set(tmp_path, set_clock, seconds):
    session = start(tmp_path, "sleep", "600")
    set_clock(seconds)
    assert session.alive()
    sessions.stop([session])
    assert sessions.exit_code(session) == -signal.SIGTERM


def test_another_command_finds_the_same_program(tmp_path):
    """By what the command that started it has saved."""
    session = start(tmp_path, "sleep", "600")
    look = "import json, sys; from laptop.sessions import Session; print(Session(**json.loads(sys.argv[1])).alive())"
    command = [sys.executable, "-c", look, json.dumps(asdict(session))]
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        assert subprocess.check_output(command, env=environment, cwd=SCRIPTS, text=True) == "True\n"
    sessions.stop([session])


def test_a_second_stop_does_nothing(tmp_path):
    session = start(tmp_path, "sleep", "600")
    sessions.stop([session])
    sessions.stop([session])
    assert sessions.exit_code(session) == -signal.SIGTERM


def test_the_standard_input_is_read(tmp_path):
    session = start(tmp_path, "cat", feed="requirepass x\n")
    until(lambda: sessions.exit_code(session) == 0)
    assert session.last_lines() == "requirepass x"


class Elsewhere(socket.socket):
    """A socket on a system without abstract names, which only Linux has."""

    def bind(self, address):
        if isinstance(address, str) and address.startswith("\0"):
            raise OSError(errno.ENOENT, "No such file or directory")
        super().bind(address)


@pytest.mark.parametrize("kind", [socket.socket, Elsewhere], ids=["linux", "elsewhere"])
def test_two_starts_at_once_use_two_ports(monkeypatch, kind):
    """Even before either listens."""
    monkeypatch.setattr(socket, "socket", kind)
    first = unused_port()
    with claimed_port(first) as one, claimed_port(first) as other:
        assert (one, is_free(one)) == (first, True)
        assert other > first
    with claimed_port(first) as again:
        assert again == first
