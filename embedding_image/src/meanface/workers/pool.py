"""Pool of worker processes: every photo gets a result, also one that kills its worker."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from multiprocessing.connection import wait
from typing import Self

import structlog

from meanface import system
from meanface.embedder.detector import DetectorChoice
from meanface.embedder.result import PhotoResult
from meanface.errors import InfrastructureError
from meanface.outcome import Outcome
from meanface.settings import Settings
from meanface.workers import sandbox
from meanface.workers.child import decode_result
from meanface.workers.prefetch import Reading
from meanface.workers.process import Job, WorkerProcess

log = structlog.get_logger(__name__)

ATTEMPTS = 2
"""A photo is `crashed` with the second worker that dies over it; the kernel may have killed the
first for the memory of another."""

GROUP_PHOTOS = 16
GROUP_BYTES = 4 * 2**20
"""Limits of a group, the photos that the network embeds together; a single photo may be larger."""

Results = Iterator[tuple[Reading, PhotoResult]]


class Workers:
    """At most `count` worker processes; the first photos start them, and `__exit__` ends them.

    `cache` is the folder of the detector's derived weights.
    """

    def __init__(
        self,
        count: int,
        settings: Settings,
        cache: str | None = None,
        detector: DetectorChoice = DetectorChoice.AUTO,
    ) -> None:
        self.count = count
        container = system.container_memory()
        memory = sandbox.worker_memory(settings, count, container)
        alone = sandbox.memory_alone(settings, count, container)
        self._more_alone = memory < alone
        self._start: Callable[[], WorkerProcess] = lambda: WorkerProcess(settings, cache, detector, (memory, alone))
        self._workers: list[WorkerProcess] = []
        self._retries: deque[Job] = deque()
        self._left = 0
        self._ready: Callable[[], bool] = lambda: True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.end()

    @property
    def started(self) -> bool:
        """Whether there are processes."""
        return bool(self._workers)

    def results(self, photos: Iterable[Reading], total: int = 0, ready: Callable[[], bool] = lambda: True) -> Results:
        """Each photo's result, in the order of completion; workers take photos as they become free.

        A photo that has a result from reading keeps it. InfrastructureError if a worker cannot
        start.

        Parameters
        ----------
        total
            number of photos; with many left, workers take several at a time, which is faster
        ready
            whether the next photo is available at once; a group does not wait for more photos
        """
        self._left, self._ready, stream = total, ready, iter(photos)
        first: list[Reading] = []  # photos that need a worker: without any, no worker is started
        while len(first) < self.count and (photo := next(stream, None)) is not None:
            if photo.result is None:
                first.append(photo)
            else:
                self._left -= 1
                yield photo, photo.result
        self._workers += [self._start() for _ in range(len(first) - len(self._workers))]
        stream = chain(first, stream)
        done: list[tuple[Reading, PhotoResult]] = []
        while True:
            yield from self._hand_out(stream)
            yield from done  # after the workers have their next photos
            done = []
            if not any(worker.group for worker in self._workers) and (not first or any(w.idle for w in self._workers)):
                return
            for worker in self._responding():
                done += self._receive(worker)

    def _hand_out(self, photos: Iterator[Reading]) -> Results:
        """Give every idle worker a group while there are photos; a retried photo is one alone."""
        for worker in self._workers:
            if not worker.idle:
                continue
            busy = [job for other in self._workers for job in other.group]
            if any(job.alone for job in busy) or (busy and self._retries and self._retries[0].alone):
                return
            group = [self._retries.popleft()] if self._retries else (yield from self._draw(photos))
            if not group:
                return
            worker.take(group)

    def _draw(self, photos: Iterator[Reading]) -> Generator[tuple[Reading, PhotoResult], None, list[Job]]:
        """The next group: half of a worker's share of what is left, so that all end together."""
        group: list[Job] = []
        most = max(1, min(GROUP_PHOTOS, self._left // (2 * self.count)))
        while len(group) < most and sum(len(job.photo.data) for job in group) < GROUP_BYTES:
            if group and not self._ready():
                break
            photo = next(photos, None)
            if photo is None:
                break
            self._left -= 1
            if photo.result is None:
                group.append(Job(photo))
            else:
                yield photo, photo.result
        return group

    def _responding(self) -> list[WorkerProcess]:
        """Wait for a message; workers that have sent one, or whose time is up."""
        busy = {worker.connection: worker for worker in self._workers if not worker.idle}
        timeout = min(worker.deadline for worker in busy.values()) - time.monotonic()
        readable = wait(list(busy), timeout=max(0.0, timeout))
        return [worker for connection, worker in busy.items() if connection in readable] or [
            worker for worker in busy.values() if worker.overdue
        ]

    def _receive(self, worker: WorkerProcess) -> Results:
        """Handle a worker's message (ready, a photo's faces detected, a result) or its end."""
        try:
            message = worker.connection.recv_bytes() if worker.connection.poll() else None
        except (EOFError, ConnectionResetError):
            message = None
        if message is None:
            yield from self._replace(worker)
        elif worker.group and not message:
            worker.detected += 1
            worker.renew()
        elif worker.group:
            job, result = worker.finish(), decode_result(message)
            if result.outcome is Outcome.CRASHED and self._more_alone and not job.alone:
                job.alone = True
                self._retries.append(job)
            else:
                yield job.photo, replace(result, sha256=job.photo.sha256)
        elif message:
            raise InfrastructureError(f"an embed worker cannot start: {message.decode(errors='replace')}")
        else:
            worker.ready = True

    def _replace(self, worker: WorkerProcess) -> Results:
        """Replace a dead or overdue worker; its photos are tried again, or are `crashed`."""
        overdue, cause = worker.overdue, worker.end()
        if not worker.group:
            raise InfrastructureError(f"an embed worker {cause} before its first photo")
        self._workers[self._workers.index(worker)] = self._start()
        log.warning("worker died", photos=[job.photo.name for job in worker.current], how=cause)
        for job in worker.current:
            job.deaths += 1
            job.alone = self._more_alone and not overdue
        for job in worker.group:
            if job.deaths < ATTEMPTS:
                self._retries.append(job)
            else:
                yield job.photo, PhotoResult(Outcome.CRASHED, f"worker process {cause}", job.photo.sha256)
