"""The worker processes of one embed stage: every photo gets a result, also one that kills its worker."""

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
"""Workers that may die over one photo before it is `crashed`: the first may have been killed for another's sake."""

GROUP_PHOTOS = 16
GROUP_BYTES = 4 * 2**20
"""A worker has up to so many photos in hand, whose faces the network sees together; or one that is larger."""


class Workers:
    """Worker processes, each with some photos in hand; started by the first photos, ended with the block.

    Parameters
    ----------
    count
        processes at most
    settings
        of the run
    cache
        folder of the converted network
    detector
        who finds faces
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
        memory = (
            sandbox.worker_memory(settings, count, container),
            sandbox.memory_alone(settings, count, container),
        )
        self._roomier_alone = memory[0] < memory[1]
        self._start: Callable[[], WorkerProcess] = lambda: WorkerProcess(settings, cache, detector, memory)
        self._workers: list[WorkerProcess] = []
        self._again: deque[Job] = deque()
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
        """Whether there are processes yet."""
        return bool(self._workers)

    def results(
        self, photos: Iterable[Reading], total: int = 0, ready: Callable[[], bool] = lambda: True
    ) -> Iterator[tuple[Reading, PhotoResult]]:
        """Each photo's result, in the order of completion; photos are drawn as workers become free.

        A photo that was settled in reading keeps that result.

        Parameters
        ----------
        total
            how many photos there are; workers take several at a time as long as there are many, which is faster
        ready
            whether the next photo is there; who has one does not wait for more

        Raises
        ------
        InfrastructureError
            if a worker cannot start
        """
        self._left, self._ready, stream = total, ready, iter(photos)
        first: list[Reading] = []  # that need a worker: where none does, none is started
        while len(first) < self.count and (photo := next(stream, None)) is not None:
            if photo.settled is None:
                first.append(photo)
            else:
                self._left -= 1
                yield photo, photo.settled
        self._workers += [self._start() for _ in range(len(first) - len(self._workers))]
        stream = chain(first, stream)
        done: list[tuple[Reading, PhotoResult]] = []
        while True:
            yield from self._hand_out(stream)
            yield from done  # while workers are at the next
            done = []
            if not any(worker.group for worker in self._workers) and (not first or any(w.idle for w in self._workers)):
                return
            for worker in self._answering():
                done += self._answer(worker)

    def _hand_out(self, photos: Iterator[Reading]) -> Iterator[tuple[Reading, PhotoResult]]:
        """Give every idle worker photos, as long as there are any; what a worker has died over is tried alone."""
        for worker in self._workers:
            if not worker.idle:
                continue
            in_hand = [job for other in self._workers for job in other.group]
            if any(job.alone for job in in_hand) or (in_hand and self._again and self._again[0].alone):
                return
            group = [self._again.popleft()] if self._again else (yield from self._draw(photos))
            if not group:
                return
            worker.take(group)

    def _draw(self, photos: Iterator[Reading]) -> Generator[tuple[Reading, PhotoResult], None, list[Job]]:
        """The next photos for one worker; what reading has settled is passed on.

        Half of what would be a worker's share of those that are left, so that all workers end together.
        """
        group: list[Job] = []
        most = max(1, min(GROUP_PHOTOS, self._left // (2 * self.count)))
        while len(group) < most and sum(len(job.photo.data) for job in group) < GROUP_BYTES:
            if group and not self._ready():
                break
            photo = next(photos, None)
            if photo is None:
                break
            self._left -= 1
            if photo.settled is None:
                group.append(Job(photo))
            else:
                yield photo, photo.settled
        return group

    def _answering(self) -> list[WorkerProcess]:
        """Workers that have something to say, or have been silent for too long."""
        silent = {worker.connection: worker for worker in self._workers if not worker.idle}
        patience = min(worker.deadline for worker in silent.values()) - time.monotonic()
        speaking = wait(list(silent), timeout=max(0.0, patience))
        return [worker for connection, worker in silent.items() if connection in speaking] or [
            worker for worker in silent.values() if worker.silent
        ]

    def _answer(self, worker: WorkerProcess) -> Iterator[tuple[Reading, PhotoResult]]:
        """What a worker says: that it is ready, or has looked for a photo's faces; a result; or nothing any more."""
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
            job, result = worker.let_go(), decode_result(message)
            if result.outcome is Outcome.CRASHED and self._roomier_alone and not job.alone:
                job.alone = True
                self._again.append(job)
            else:
                yield job.photo, replace(result, sha256=job.photo.sha256)
        elif message:
            raise InfrastructureError(f"an embed worker cannot start: {message.decode(errors='replace')}")
        else:
            worker.ready = True

    def _replace(self, worker: WorkerProcess) -> Iterator[tuple[Reading, PhotoResult]]:
        """Start a new worker for one that died or is silent; its photos get another try, or are `crashed`."""
        silent, how = worker.silent, worker.end()
        if not worker.group:
            raise InfrastructureError(f"an embed worker {how} before its first photo")
        self._workers[self._workers.index(worker)] = self._start()
        log.warning("worker died", photos=[job.photo.name for job in worker.in_hand], how=how)
        for job in worker.in_hand:
            job.deaths += 1
            job.alone = self._roomier_alone and not silent
        for job in worker.group:
            if job.deaths < ATTEMPTS:
                self._again.append(job)
            else:
                yield job.photo, PhotoResult(Outcome.CRASHED, f"worker process {how}", job.photo.sha256)
