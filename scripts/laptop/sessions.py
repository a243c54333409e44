"""Start programs, and stop them with all their child processes.

Airflow's processes survive a killed parent, change their titles and create process groups. They
only keep the POSIX session of their first ancestor. So each program gets its own session, and all
processes of the session are stopped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import psutil


class StillRunning(Exception):
    """Processes are still running after SIGKILL."""


@dataclass(frozen=True)
class Program:
    """A program to start.

    `feed` is its standard input, and `stop_signal` is the signal that stops it. With `whole` all
    its processes get that signal, because the program does not pass it on.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    feed: str = ""
    whole: bool = False
    stop_signal: int = signal.SIGTERM


@dataclass(frozen=True)
class Session:
    """A program's session, whose id is the program's process id.

    `identity` distinguishes the program from a later process with the same id.
    """

    name: str
    id: int
    identity: int
    log: str
    whole: bool = False
    stop_signal: int = signal.SIGTERM

    def alive(self) -> bool:
        """Whether the program itself is running."""
        try:
            program = psutil.Process(self.id)
            return _identity(program) == self.identity and bool(program.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def last_lines(self, count: int = 20) -> str:
        """The last lines of its log."""
        return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-count:])


_children: list[subprocess.Popen[bytes]] = []


def start(program: Program, log: Path) -> Session:
    """Start a program in a new session; its output is appended to a log."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            program.command,
            env=dict(program.environment),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children.append(process)  # kept, so that its exit code is collected
    identity = _identity(psutil.Process(process.pid))
    session = Session(program.name, process.pid, identity, str(log), program.whole, program.stop_signal)
    with contextlib.suppress(BrokenPipeError), cast("IO[bytes]", process.stdin) as standard_input:
        standard_input.write(program.feed.encode())
    return session


def exit_code(session: Session) -> int | None:
    """Exit code of a program that this process started; None while it runs."""
    return next(child.poll() for child in _children if child.pid == session.id)


def stop(sessions: Iterable[Session], grace: float = 6) -> None:
    """Stop all processes of sessions: with a signal, and after `grace` seconds with SIGKILL.

    Raises
    ------
    StillRunning
        if processes are still running 5 seconds after SIGKILL
    """
    sessions = list(sessions)
    for session in sessions:
        _signal(_stop_targets(session), signal.Signals(session.stop_signal))
    deadline = time.monotonic() + grace
    while (left := _members(sessions)) and time.monotonic() < deadline + 5:
        if time.monotonic() > deadline:
            _signal(left, signal.SIGKILL)
        time.sleep(0.05)
    if left:
        ids = ", ".join(str(one.pid) for one in left)
        raise StillRunning(f"still running after SIGKILL: processes {ids}; when they have ended, run `make down` again")


def _stop_targets(session: Session) -> list[psutil.Process]:
    """The processes that get the stop signal: the program, or else its whole session."""
    members = _members([session])
    if session.whole or not session.alive():
        return members
    return [one for one in members if one.pid == session.id]


def _members(sessions: Iterable[Session]) -> list[psutil.Process]:
    """The sessions' processes, without zombies.

    The system does not reuse a session's id while the session has members. So if the process with
    that id is not our program, our whole session has ended, and the members belong to another
    session.
    """
    for child in _children:
        child.poll()
    by_id = {session.id: session for session in sessions}
    found: list[psutil.Process] = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if (session := by_id.get(os.getsid(pid))) is None:
                continue
            process = psutil.Process(pid)
            if pid == session.id and _identity(process) != session.identity:
                del by_id[session.id]
                found = [one for one in found if os.getsid(one.pid) != session.id]
            elif process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _identity(process: psutil.Process) -> int:
    """psutil's identity of a process: its id and its start by the monotonic clock.

    It is the same in every command. `create_time()` would change when the system's clock is set.
    """
    return hash(process)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
