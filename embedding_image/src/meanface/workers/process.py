"""One worker process, as its parent sees it: started, with photos in hand, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe

from meanface import system
from meanface.embedder.detector import DetectorChoice
from meanface.settings import Settings
from meanface.workers import sandbox
from meanface.workers.prefetch import Reading

PHOTO_SECONDS = 300.0
"""A worker that has not answered by then is killed; the slowest legitimate photo (50 megapixels) takes about 20."""

START_SECONDS = 300.0
"""A worker that has not loaded its models by then is killed."""

COMMAND = (sys.executable, "-m", "meanface.workers.child")


@dataclass
class Job:
    """A photo on its way through the workers."""

    photo: Reading
    deaths: int = 0
    alone: bool = False
    """whether it waits for the others to rest, as a worker's share of the memory was not enough"""


class WorkerProcess:
    """One process and the photos it has in hand."""

    def __init__(
        self, settings: Settings, cache: str | None, detector: DetectorChoice, memory: tuple[int, int]
    ) -> None:
        self.connection, child = Pipe()
        command = [
            *COMMAND,
            str(child.fileno()),
            settings.model_dump_json(),
            cache or "",
            detector,
            *map(str, memory),
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, module and settings
            command, pass_fds=[child.fileno()], stdin=subprocess.DEVNULL, env=sandbox.environment(os.environ)
        )
        child.close()
        self.ready = False
        self.group: list[Job] = []
        self.detected = 0
        self._given, self._more = 0, memory[1] - memory[0]
        self.deadline = time.monotonic() + START_SECONDS

    @property
    def idle(self) -> bool:
        """Whether it waits for photos."""
        return self.ready and not self.group

    @property
    def in_hand(self) -> list[Job]:
        """The photo whose faces it looks for; behind the last, all whose faces the network has."""
        return self.group[self.detected : self.detected + 1] or self.group

    @property
    def silent(self) -> bool:
        """Whether its answer is overdue."""
        return self.deadline <= time.monotonic()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def take(self, group: list[Job]) -> None:
        """Start on some photos. A worker that has died is noticed when its answer is due."""
        self.group, self.detected = group, 0
        self.renew()
        self._given = system.give(self.pid, self._more if group[0].alone else 0)
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(b"%d" % len(group))
            for job in group:
                self.connection.send_bytes(job.photo.data)

    def renew(self) -> None:
        """Give it time for one more photo."""
        self.deadline = time.monotonic() + PHOTO_SECONDS

    def let_go(self) -> Job:
        """The first photo in hand, which is done; with the last, what memory was given for it."""
        job = self.group.pop(0)
        if not self.group:
            system.give(self.pid, -self._given)
        return job

    def end(self) -> str:
        """End the process if it has not ended; how it ended, for people."""
        silent = self.silent
        self.connection.close()  # an idle worker leaves at this
        try:
            code = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if silent:
            return f"gave no answer within {PHOTO_SECONDS if self.group else START_SECONDS:.0f} s"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
