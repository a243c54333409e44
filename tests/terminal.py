"""Run programs in a real pseudo-terminal, as people do."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self


class Terminal:
    """A program whose input, output and errors are one terminal, which also sends it Ctrl-C."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.process = subprocess.Popen(
            command,
            env={**env, "TERM": "xterm"},
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one system call takes no lock
        )
        os.close(slave)
        self.shown = ""
        """everything that was printed so far"""

    def type(self, text: str) -> None:
        """Type keys; `\\x03` is Ctrl-C."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Wait until a text is printed."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert self._read(deadline), f"{text!r} was not printed, but: {self.shown}"

    def end(self, seconds: float = 250.0) -> int:
        """Wait until the program ends; its exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(timeout=5)

    def _read(self, deadline: float) -> bool:
        """Read what is printed next; False if the program has ended."""
        left = deadline - time.monotonic()
        assert left > 0, f"still running; printed so far: {self.shown}"
        if select.select([self._master], [], [], min(left, 1.0))[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # Linux: the other end is closed
                return False
            self.shown += data.decode(errors="replace").replace("\r\n", "\n")
            return bool(data)
        return self.process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
