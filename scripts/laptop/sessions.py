"""Programs with everything they start.

Airflow's processes outlive a killed parent, change their titles and make process groups of their own; what they keep is
the POSIX session that their first ancestor opened. So each program gets one of its own, and is stopped by it.
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


class LeftRunning(Exception):
    """Processes that even SIGKILL did not end."""


@dataclass(frozen=True)
class Program:
    """What is to run.

    `feed` is what it reads from its standard input, `stop_signal` what asks it to end, and `whole` is for a program
    that does not pass that signal on: all its processes get it.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    feed: str = ""
    whole: bool = False
    stop_signal: int = signal.SIGTERM


@dataclass(frozen=True)
class Session:
    """A program's session: its number is the program's process id.

    `identity` tells the program from a later process with the same number.
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
        """The end of its log."""
        return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-count:])


_children: list[subprocess.Popen[bytes]] = []


def start(program: Program, log: Path) -> Session:
    """Start a program in a session of its own; what it prints goes to the end of a log."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            program.command,
            env=dict(program.environment),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children.append(process)  # kept, so that its end is collected
    identity = _identity(psutil.Process(process.pid))
    session = Session(program.name, process.pid, identity, str(log), program.whole, program.stop_signal)
    with contextlib.suppress(BrokenPipeError), cast("IO[bytes]", process.stdin) as standard_input:
        standard_input.write(program.feed.encode())
    return session


def exit_code(session: Session) -> int | None:
    """How a program that this process started has ended; None while it runs."""
    return next(child.poll() for child in _children if child.pid == session.id)


def stop(sessions: Iterable[Session], grace: float = 6) -> None:
    """End every process of these sessions: the programs by their signal, after `grace` seconds everything by SIGKILL.

    Raises
    ------
    LeftRunning
        naming what is still there 5 seconds after that
    """
    sessions = list(sessions)
    for session in sessions:
        _signal(_to_tell(session), signal.Signals(session.stop_signal))
    patience = time.monotonic() + grace
    while (left := _members(sessions)) and time.monotonic() < patience + 5:
        if time.monotonic() > patience:
            _signal(left, signal.SIGKILL)
        time.sleep(0.05)
    if left:
        raise LeftRunning(f"still running after SIGKILL: processes {', '.join(str(one.pid) for one in left)}")


def _to_tell(session: Session) -> list[psutil.Process]:
    """Who gets the signal: the program, which tells its processes; all of them where it does not, or is gone."""
    members = _members([session])
    if session.whole or not session.alive():
        return members
    return [one for one in members if one.pid == session.id]


def _members(sessions: Iterable[Session]) -> list[psutil.Process]:
    """The sessions' processes, but for zombies.

    A session's number is not given to another process while the session has members; where the number's process
    is not ours, ours has ended with all of its session, and the members are someone else's.
    """
    for child in _children:
        child.poll()
    ours = {session.id: session for session in sessions}
    found: list[psutil.Process] = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if (session := ours.get(os.getsid(pid))) is None:
                continue
            process = psutil.Process(pid)
            if pid == session.id and _identity(process) != session.identity:
                del ours[session.id]
                found = [one for one in found if os.getsid(one.pid) != session.id]
            elif process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _identity(process: psutil.Process) -> int:
    """psutil's identity of a process: its number, and its start by a clock that nobody sets.

    Every command computes the same one. `create_time()` would move when the system's clock is set.
    """
    return hash(process)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
