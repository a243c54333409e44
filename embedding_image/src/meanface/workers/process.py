"""One worker process, as its parent controls it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Pipe
from typing import TYPE_CHECKING

from meanface import system
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.models.plain import ModelData
from meanface.photo_settings import is_card
from meanface.settings import Settings
from meanface.workers import sandbox

if TYPE_CHECKING:
    from meanface.workers.prefetch import PhotoBytes

PHOTO_SECONDS = 300.0
"""Time limit for one photo; the slowest legitimate one (50 megapixels) takes about 20. The network, which
computes numbers of one size however hostile a photo is, has this time for each copy of a face."""

START_SECONDS = 300.0
"""Time limit for loading the models."""

COMMAND = (sys.executable, "-m", "meanface.workers")


@contextmanager
def first_worker(
    settings: Settings, count: int, cache: str | None = None, kernels: KernelChoice = KernelChoice.AUTO
) -> Iterator[WorkerProcess | None]:
    """Start the first of `count` processes for a pool that is made later; at the end it has ended.

    It loads its models while this process imports the rest of the program. None for a model card, whose networks may
    have to be downloaded first.
    """
    if is_card(settings.embedder):
        yield None
        return
    container = system.container_memory()
    memory = sandbox.worker_memory(settings, count, container)
    worker = WorkerProcess(settings, cache, kernels, memory, sandbox.memory_alone(settings, count, container))
    try:
        yield worker
    finally:
        worker.kill()  # unless the pool has ended it
        worker.end()


class WorkerProcess:
    """One process and its group of photos.

    It may allocate `memory` bytes for a photo, and `alone` while the other workers are idle. `model` is that of a
    model card.
    """

    def __init__(
        self,
        settings: Settings,
        cache: str | None,
        kernels: KernelChoice,
        memory: int,
        alone: int,
        model: ModelData | None = None,
    ) -> None:
        self.connection, child = Pipe()
        arguments = [str(child.fileno()), settings.model_dump_json(), cache or "", kernels, str(memory), str(alone)]
        arguments.append(model.to_json() if model else "")
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, module and settings
            [*COMMAND, *arguments],
            pass_fds=[child.fileno()],
            stdin=subprocess.DEVNULL,
            env=sandbox.environment(os.environ),
        )
        child.close()
        self.pid = self._process.pid
        self.ready = False
        self.group: list[PhotoBytes] = []
        self.detected = 0
        self._given, self._more = 0, alone - memory
        self._copies = settings.num_jitters
        self.allowed = START_SECONDS
        self.deadline = time.monotonic() + self.allowed

    @property
    def idle(self) -> bool:
        """Whether it waits for photos."""
        return self.ready and not self.group

    @property
    def current(self) -> list[PhotoBytes]:
        """The photo in detection; after the last, all photos that the network embeds."""
        return self.group[self.detected : self.detected + 1] or self.group

    @property
    def overdue(self) -> bool:
        """Whether its time is up."""
        return self.deadline <= time.monotonic()

    def take(self, group: list[PhotoBytes]) -> None:
        """Start on some photos; a dead worker is noticed when its message is due."""
        self.group, self.detected = list(group), 0
        self.renew()
        self._given = system.give(self.pid, self._more if group[0].alone else 0)
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(b"%d" % len(group))
            for photo in group:
                self.connection.send_bytes(photo.data)

    def renew(self) -> None:
        """Allow time for one more photo, or after the last for the network."""
        embedding = self.group and self.detected == len(self.group)
        self.allowed = PHOTO_SECONDS * (self._copies if embedding else 1)
        self.deadline = time.monotonic() + self.allowed

    def finish(self) -> PhotoBytes:
        """Remove the first photo, which is done; with the last, take back the additional memory."""
        photo = self.group.pop(0)
        if not self.group:
            system.give(self.pid, -self._given)
        return photo

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        self._process.kill()

    def end(self) -> str:
        """End the process if it still runs; how it ended, as text that follows its name."""
        overdue = self.overdue and self._process.poll() is None
        self.connection.close()  # ends an idle worker
        try:
            code = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if overdue:
            return f"gave no answer within {self.allowed:.0f} s"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
