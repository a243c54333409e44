"""A child process with its own process group, of which nothing stays when it ends or when its parent dies."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Self, cast

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: not between fork and exec


def follow_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent dies; Linux only.

    A task whose supervisor is killed would go on without anyone to hear of it; this way it is told to stop, and stops
    its stage.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _follow(parent: int) -> Callable[[], None]:
    def in_child() -> None:
        follow_parent()
        if os.getppid() != parent:  # it died before it could be followed
            os._exit(128 + signal.SIGTERM)

    return in_child


class ProcessGroup:
    """A running command and everything it starts.

    Parameters
    ----------
    command
        the executable and its arguments
    environment
        all of the command's environment
    grace
        seconds between SIGTERM and SIGKILL, for a command that does not stop

    When the command ends, the rest of its group is killed; when the process that started it dies, the command gets
    SIGTERM. As a context manager it stops the group where the block fails, and in any case waits for its end.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], grace: float = 3.0) -> None:
        self._grace = grace
        self._process = subprocess.Popen(  # noqa: S603  the deployment's own executable, and no shell
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0,
            preexec_fn=_follow(os.getpid()),  # noqa: PLW1509  two system calls, nothing that could take a lock
        )
        self._output = cast("IO[str]", self._process.stdout)
        self._ended = threading.Event()
        self._reaper = threading.Thread(target=self._end_group, name="group", daemon=True)
        self._reaper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is not None:
            self.terminate()
        self.wait()

    @property
    def id(self) -> int:
        """The group's number, which is the command's process id."""
        return self._process.pid

    def lines(self) -> Iterator[str]:
        """What the group writes, line by line, until all of it has ended."""
        for line in self._output:
            yield line.rstrip()

    def wait(self) -> int:
        """Exit code of the command; minus the signal's number where a signal killed it."""
        self._reaper.join()
        self._output.close()
        return self._process.returncode

    def terminate(self) -> None:
        """Ask the group to stop, and kill it where the command does not within its grace.

        Made for signal handlers: it may interrupt `lines` or `wait` in the same thread, and so takes no lock.
        """
        if self._ended.is_set():
            return
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        while not self._ended.is_set():
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
                return
            time.sleep(0.02)

    def _end_group(self) -> None:
        """Wait for the command's end and kill what it left: the pipe closes, and nobody works on unseen."""
        self._process.wait()
        self._signal(signal.SIGKILL)
        self._ended.set()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: the latter for a group of zombies
            os.killpg(self.id, number)
