"""A child process in a separate process group.

Nothing of the group is left when the child ends or when its parent dies.
"""

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

    A task whose supervisor is killed would otherwise run on unnoticed. With SIGTERM it stops, and
    stops its stage.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _follow(parent: int) -> Callable[[], None]:
    def in_child() -> None:
        follow_parent()
        if os.getppid() != parent:  # the parent died before the call above
            os._exit(128 + signal.SIGTERM)

    return in_child


class ProcessGroup:
    """A running command and everything it starts.

    Parameters
    ----------
    command
        the executable and its arguments
    environment
        the command's complete environment
    grace
        seconds between SIGTERM and SIGKILL, for a command that does not stop

    When the command ends, the rest of its group is killed. When the process that started it dies,
    the command gets SIGTERM. The context manager waits for the group's end, and stops the group
    first if its block fails.
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
        """The group's id, which is the command's process id."""
        return self._process.pid

    def lines(self) -> Iterator[str]:
        """The group's output, line by line, until all its processes have ended."""
        for line in self._output:
            yield line.rstrip()

    def wait(self) -> int:
        """Exit code of the command; minus the signal's number if a signal killed it."""
        self._reaper.join()
        self._output.close()
        return self._process.returncode

    def terminate(self) -> None:
        """Send SIGTERM to the group, and SIGKILL if the command does not stop in time.

        Signal handlers may call this: it can interrupt `lines` or `wait` in the same thread, so it
        takes no lock.
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
        """Wait for the command's end and kill processes that it left, so that the pipe closes."""
        self._process.wait()
        self._signal(signal.SIGKILL)
        self._ended.set()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for zombies
            os.killpg(self.id, number)
