"""Counting I/O in a process, to stop it between any two steps.

A step is a call that a crash may come before: of files below given folders, opening, reading, writing, `fsync`, rename,
link, remove, making and listing folders; of TCP connections (Redis, S3), each piece sent, before it is sent, and each
piece received, when it has arrived but nobody has seen it; of embed workers, each message. The hooks replace Python's
own functions in the process that calls `install`; the product is not touched.
"""

from __future__ import annotations

import builtins
import io
import os
import re
import socket
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from threading import RLock
from typing import Any

from faults.powercut import Disk

_COMMAND = re.compile(rb"\$\d+\r\n([A-Z]+)\r\n")


class Steps:
    """Numbers the steps, from 1; no two threads are in a step's `reached` at once.

    Parameters
    ----------
    folders
        whose files count
    reached
        called with number and description before a step is taken
    """

    def __init__(self, folders: list[str], reached: Callable[[int, str], None]) -> None:
        self._folders = tuple(folders)
        self._reached = reached
        self._lock = RLock()
        self._inside = False
        self.count = 0

    def take(self, what: str) -> None:
        with self._lock:
            if self._inside:  # what a power cut takes back is no step
                return
            self.count += 1
            self._inside = True
            self._reached(self.count, what)
            self._inside = False

    def counted(self, file: Any) -> Path | None:
        """The path of a file, or of an open file's number, where it counts."""
        try:
            path = Path(f"/proc/self/fd/{file}").readlink() if isinstance(file, int) else Path(os.fsdecode(file))
        except (OSError, TypeError):
            return None
        path = path.absolute()
        return path if str(path).startswith(self._folders) else None


def install(steps: Steps, disk: Disk) -> None:
    """Count in this process from now on, and report all changes to the disk's model."""
    _files(steps, disk)
    _folders(steps, disk)
    _connections(steps)


def _files(steps: Steps, disk: Disk) -> None:
    real_open, real_os_open, real_fsync = io.open, os.open, os.fsync

    class File(io.FileIO):
        counted = Path()

        def write(self, data: Any) -> int | None:
            steps.take(f"write {self.counted.name}")
            return super().write(data)

        def readinto(self, buffer: Any) -> int | None:
            steps.take(f"read {self.counted.name}")
            return super().readinto(buffer)

        def readall(self) -> bytes:
            steps.take(f"read {self.counted.name}")
            return super().readall()

    def opening(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **options: Any) -> Any:
        path = steps.counted(file) if "b" in mode else None
        if path is None:
            return real_open(file, mode, buffering, *rest, **options)
        steps.take(f"open {path.name} {mode}")
        raw = File(file, mode, closefd=options.get("closefd", True))
        raw.counted = path
        if "r" in mode:
            return io.BufferedReader(raw) if buffering else raw
        disk.created(path)
        return io.BufferedWriter(raw) if buffering else raw

    def os_opening(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        found = steps.counted(path)
        if found is not None:
            steps.take(f"open {found.name}")
        return real_os_open(path, flags, mode, dir_fd=dir_fd)

    def syncing(descriptor: int) -> None:
        path = steps.counted(descriptor)
        if path is not None:
            steps.take(f"fsync {path.name}")
        real_fsync(descriptor)
        if path is not None:
            disk.synced(path)

    builtins.open = io.open = opening
    os.open, os.fsync = os_opening, syncing


def _folders(steps: Steps, disk: Disk) -> None:
    real_replace, real_mkdir, real_link = os.replace, os.mkdir, os.link

    def replacing(source: Any, target: Any, **folders: Any) -> None:
        path = steps.counted(target)
        if path is None:
            real_replace(source, target, **folders)
            return
        steps.take(f"rename to {path.name}")
        done = disk.moves(Path(source), path)
        real_replace(source, target, **folders)
        done()

    def making(path: Any, *mode: Any, **folder: Any) -> None:
        found = steps.counted(path)
        if found is not None:
            steps.take(f"mkdir {found.name}")
        real_mkdir(path, *mode, **folder)
        if found is not None:
            disk.made(found)

    def linking(source: Any, target: Any, **folders: Any) -> None:
        path = steps.counted(target)
        if path is not None:
            steps.take(f"link {path.name}")
        real_link(source, target, **folders)
        if path is not None:
            disk.linked(Path(source), path)

    os.replace, os.mkdir, os.link = replacing, making, linking
    for name in ("unlink", "remove", "rmdir", "scandir"):
        setattr(os, name, _before(steps, name, getattr(os, name)))


def _before(steps: Steps, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any = ".", *rest: Any, **options: Any) -> Any:
        found = steps.counted(path)
        if found is not None:
            steps.take(f"{name} {found.name}")
        return real(path, *rest, **options)

    return call


def _connections(steps: Steps) -> None:
    def sends(real: Callable[..., Any]) -> Callable[..., Any]:
        def send(self: socket.socket, data: Any, *flags: Any) -> Any:
            if self.family != socket.AF_UNIX:
                command = _COMMAND.search(bytes(data[:64]))
                steps.take(f"send {command[1].decode() if command else f'{len(data)} bytes'}")
            return real(self, data, *flags)

        return send

    def receives(real: Callable[..., Any]) -> Callable[..., Any]:
        def receive(self: socket.socket, *sizes: Any) -> Any:
            data = real(self, *sizes)
            if self.family != socket.AF_UNIX:
                steps.take("receive")
            return data

        return receive

    def hands(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def hand(self: Any, *message: Any) -> Any:
            steps.take(what)
            return real(self, *message)

        return hand

    for name in ("send", "sendall"):
        setattr(socket.socket, name, sends(getattr(socket.socket, name)))
    for name in ("recv", "recv_into"):
        setattr(socket.socket, name, receives(getattr(socket.socket, name)))
    worker = connection.Connection
    worker.send_bytes = hands("photo to worker", worker.send_bytes)
    worker.recv_bytes = hands("answer of worker", worker.recv_bytes)
