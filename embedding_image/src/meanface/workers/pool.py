"""Pool of worker processes: every photo gets a result, also one that kills its worker."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain, islice
from multiprocessing.connection import wait
from typing import Self

import structlog

from meanface import system
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.models.opening import model_data
from meanface.embedder.models.plain import ModelData
from meanface.embedder.result import PhotoResult
from meanface.errors import InfrastructureError
from meanface.outcome import Outcome
from meanface.settings import Settings
from meanface.tally import TALLY
from meanface.workers import sandbox
from meanface.workers.child import decode_result
from meanface.workers.prefetch import PhotoBytes
from meanface.workers.process import WorkerProcess

log = structlog.get_logger(__name__)

ATTEMPTS = 2
"""A photo is `crashed` with the second worker that dies over it; the kernel may have killed the
first for the memory of another."""


class Workers:
    """At most `count` worker processes; the first photos start them, and `__exit__` ends them.

    `cache` is the folder of the detector's derived weights, and of networks that are not on this machine. The policy is
    for a model card. `first` is a process that was started before (`first_worker`). `while_busy` is called once, the
    first time that no worker has a message.
    """

    def __init__(  # noqa: PLR0913 - a caller needs two
        self,
        count: int,
        settings: Settings,
        cache: str | None = None,
        kernels: KernelChoice = KernelChoice.AUTO,
        network_policy: NetworkPolicy = PUBLIC,
        *,
        first: WorkerProcess | None = None,
        while_busy: Callable[[], object] | None = None,
    ) -> None:
        self.count = count
        self.used = False
        """whether it has had photos"""
        self._while_busy = while_busy
        self._network_policy = network_policy
        self._settings, self._cache, self._kernels = settings, cache, kernels
        container = system.container_memory()
        self._memory = sandbox.worker_memory(settings, count, container)
        self._memory_alone = sandbox.memory_alone(settings, count, container)
        self._workers = [] if first is None else [first]
        self._retries: deque[PhotoBytes] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.connection.close()
            if not worker.ready:
                worker.kill()
        for worker in self._workers:
            worker.end()

    def results(self, groups: Iterable[list[PhotoBytes]], most: int | None = None) -> Iterator[tuple[int, PhotoResult]]:
        """Index and result of each photo, in the order of completion.

        A worker takes a group when it is free; a group is requested when a worker can take it. `most` is the largest
        number of processes that are started. InfrastructureError if a worker cannot start.
        """
        stream = iter(groups)
        first = list(islice(stream, min(self.count, most or self.count)))
        if not first:  # no worker is started
            return
        self.used = True
        self._workers += [self._start() for _ in range(len(first) - len(self._workers))]
        stream = chain(first, stream)
        done: list[tuple[int, PhotoResult]] = []
        while True:
            self._hand_out(stream)
            yield from done  # after the workers have their next photos
            if not any(worker.group for worker in self._workers) and any(worker.idle for worker in self._workers):
                return
            done = [ended for worker in self._responding() for ended in self._receive(worker)]

    def _start(self) -> WorkerProcess:
        memory, alone = self._memory, self._memory_alone
        return WorkerProcess(self._settings, self._cache, self._kernels, memory, alone, self._model)

    @cached_property
    def _model(self) -> ModelData | None:
        return model_data(self._settings, self._cache, self._network_policy)

    def _hand_out(self, groups: Iterator[list[PhotoBytes]]) -> None:
        """Give every idle worker a group while there are photos; a retried photo is one alone."""
        for worker in self._workers:
            if not worker.idle:
                continue
            busy = [photo for other in self._workers for photo in other.group]
            if any(photo.alone for photo in busy) or (busy and self._retries and self._retries[0].alone):
                return
            group = [self._retries.popleft()] if self._retries else next(groups, None)
            if group is None:
                return
            worker.take(group)

    def _responding(self) -> list[WorkerProcess]:
        """Wait for a message; workers that have sent one, or whose time is up."""
        busy = {worker.connection: worker for worker in self._workers if not worker.idle}
        if self._while_busy is not None and not wait(list(busy), timeout=0):
            self._while_busy()
            self._while_busy = None
        timeout = min(worker.deadline for worker in busy.values()) - time.monotonic()
        readable = wait(list(busy), timeout=max(0.0, timeout))
        return [worker for connection, worker in busy.items() if connection in readable] or [
            worker for worker in busy.values() if worker.overdue
        ]

    def _receive(self, worker: WorkerProcess) -> Iterator[tuple[int, PhotoResult]]:
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
            photo = worker.finish()
            result = decode_result(message, photo.sha256)
            if result.outcome is Outcome.CRASHED and self._memory < self._memory_alone and not photo.alone:
                photo.alone = True
                self._retries.append(photo)
            else:
                yield photo.index, result
        elif message:
            raise InfrastructureError(f"an embed worker cannot start: {message.decode(errors='replace')}")
        else:
            worker.ready = True

    def _replace(self, worker: WorkerProcess) -> Iterator[tuple[int, PhotoResult]]:
        """Replace a dead or overdue worker; its photos are tried again, or are `crashed`."""
        overdue, cause = worker.overdue, worker.end()
        if not worker.group:
            raise InfrastructureError(f"an embed worker {cause} before its first photo")
        self._workers[self._workers.index(worker)] = self._start()
        TALLY.add("worker_deaths", 1)
        log.warning("worker died", photos=[photo.name for photo in worker.current], how=cause)
        for photo in worker.current:
            photo.deaths += 1
            photo.alone = self._memory < self._memory_alone and not overdue
        for photo in worker.group:
            if photo.deaths < ATTEMPTS:
                self._retries.append(photo)
            else:
                yield photo.index, PhotoResult(Outcome.CRASHED, f"worker process {cause}", photo.sha256)
