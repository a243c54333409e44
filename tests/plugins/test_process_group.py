import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from meanface_airflow.process_group import ProcessGroup
from polling import until

ENVIRONMENT = {"PATH": os.environ["PATH"]}
STUBBORN = "trap '' TERM; "  # what follows, and all its children, ignore SIGTERM


def group(script, grace=20.0):
    """A group that runs a shell script."""
    return ProcessGroup(["bash", "-c", script], ENVIRONMENT, grace)


def gone(pid):
    """Whether a process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_lines_come_from_both_streams_as_they_are_written():
    running = group("echo out; echo err >&2; read -t 30 < <(sleep 30); echo late", grace=0)
    lines = running.lines()
    assert {next(lines), next(lines)} == {"out", "err"}
    assert not gone(running.id)
    running.terminate()
    assert list(lines) == []
    assert running.wait() < 0


def test_lines_that_are_not_utf8_do_no_harm():
    running = group(r"printf '\xff\xfe\nnext'")
    assert list(running.lines()) == ["\ufffd\ufffd", "next"]
    assert running.wait() == 0


@pytest.mark.parametrize("code", [0, 2, 3, 4, 143])
def test_the_exit_code_is_the_commands(code):
    running = group(f"exit {code}")
    assert list(running.lines()) == []
    assert running.wait() == code


def test_processes_that_the_command_leaves_are_killed():
    running = group("sleep 600 & echo $!")
    lines = running.lines()
    left = int(next(lines))
    assert list(lines) == []  # the pipe closes, though `sleep` would hold it open for ten minutes
    assert running.wait() == 0
    until(lambda: gone(left))


def test_terminate_lets_the_command_end_by_itself():
    running = group("trap 'echo stopping; exit 143' TERM; echo ready; while :; do read -t 1 < <(sleep 1); done")
    lines = running.lines()
    next(lines)
    running.terminate()
    assert list(lines) == ["stopping"]
    assert running.wait() == 143


def test_terminate_kills_grandchildren_that_ignore_sigterm():
    running = group(STUBBORN + "bash -c 'sleep 600 & echo $!; wait' & wait", grace=0.1)
    grandchild = int(next(running.lines()))
    running.terminate()
    assert running.wait() == -signal.SIGKILL
    until(lambda: gone(grandchild))


def test_terminate_after_the_end_sends_no_signal(monkeypatch):
    """The number may be another process's by then."""
    running = group("exit 7")
    running.wait()
    sent = []
    monkeypatch.setattr(os, "killpg", lambda *signal: sent.append(signal))
    running.terminate()
    assert sent == []
    assert running.wait() == 7


def test_a_failing_block_stops_the_group():
    with pytest.raises(RuntimeError, match="mine"), group("sleep 600") as running:
        raise RuntimeError("mine")
    assert running.wait() == -signal.SIGTERM


PARENT = """
from meanface_airflow.process_group import ProcessGroup
running = ProcessGroup(["sleep", "600"], {"PATH": "/usr/bin:/bin"})
print(running.id, flush=True)
running.wait()
"""


def test_a_command_ends_when_the_process_that_started_it_is_killed():
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=here) as parent:
        command = int(parent.stdout.readline())
        parent.kill()
    until(lambda: gone(command))
