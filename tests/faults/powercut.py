"""What a power cut takes away: a model of a disk that keeps only what was synced.

POSIX promises no more: bytes of a file after its `fsync`, names in a folder after the folder's `fsync`. The model is
told of every change, and takes back those that were not synced, newest first. A removal is taken as kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import RLock


class Disk:
    """Changes that a power cut would take back."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._lengths: dict[Path, int] = {}
        """file whose bytes are not synced -> how many of them are"""
        self._names: list[tuple[Path, Callable[[], None]]] = []
        """folder whose entries are not synced, and how to take one back"""

    def created(self, path: Path) -> None:
        """A new file has a name."""
        with self._lock:
            self._lengths[path] = 0
            self._names.append((path.parent, lambda: path.unlink(missing_ok=True)))

    def made(self, path: Path) -> None:
        """A new folder has a name."""
        with self._lock:
            self._names.append((path.parent, lambda: shutil.rmtree(path, ignore_errors=True)))

    def moves(self, source: Path, target: Path) -> Callable[[], None]:
        """A file is about to get another name; call what is returned when it has."""
        before = target.read_bytes() if target.exists() else None

        def back() -> None:
            if target.exists():
                target.replace(source)
            if before is not None:
                target.write_bytes(before)

        def done() -> None:
            with self._lock:
                if source in self._lengths:
                    self._lengths[target] = self._lengths.pop(source)
                self._names.append((target.parent, back))

        return done

    def synced(self, path: Path) -> None:
        """A file's bytes, or a folder's entries, are there to stay."""
        with self._lock:
            self._lengths.pop(path, None)
            self._names = [(folder, undo) for folder, undo in self._names if folder != path]

    def cut(self) -> None:
        """Take back what was not synced."""
        with self._lock:
            for path, length in self._lengths.items():
                if path.exists():
                    os.truncate(path, length)
            for folder, undo in reversed(self._names):
                if folder.is_dir():
                    undo()
