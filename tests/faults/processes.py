"""Stages as processes of the driver, started from a test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Self

from faults.driver import Script
from polling import until

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    """exit code, or minus the signal that killed it"""
    log: str
    """what it printed"""
    steps: int
    """I/O that it did; 0 if it was killed"""

    @property
    def words(self) -> str:
        """The error that it gave people: its last line."""
        return next((line for line in reversed(self.log.splitlines()) if line.startswith("meanface: ")), "")


class Driver:
    """The process that forks stages; ends with the block."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, str(folder / "driver.sock")
        self._numbers = count()
        environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "faults.driver", self._path]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
        until(lambda: Path(self._path).exists() or self._process.poll() is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def run(
        self,
        arguments: list[str],
        environment: dict[str, str],
        script: Script,
        stopped: Callable[[int, str], bool] = lambda *_: True,
    ) -> Ended:
        """Run one stage to its end; may be called from several threads.

        `stopped` is called with a step's number and description at each of the script's stops. The process stands
        still meanwhile; False makes it ask again at its next step.
        """
        log = self._folder / f"{next(self._numbers)}.log"
        request = {"arguments": arguments, "environment": environment, "script": asdict(script), "log": str(log)}
        steps = 0
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            for line in connection.makefile("rb"):
                said = json.loads(line)
                if "stop" in said:
                    answer = b"go\n" if stopped(said["stop"], said["what"]) else b"again\n"
                    with suppress(BrokenPipeError):  # it was killed meanwhile
                        connection.sendall(answer)
                steps = said.get("steps", steps)
                if "exit" in said:
                    text = log.read_text()
                    log.unlink()
                    return Ended(said["exit"], text, steps)
        raise AssertionError("the driver has died")
