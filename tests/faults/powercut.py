"""Simulate power cuts: a model of a disk that keeps only synced changes.

POSIX promises no more: bytes of a file after its `fsync`, names in a folder after the folder's `fsync`. The model is
told of every change, and takes back those that were not synced, newest first. A removal is taken as kept.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock


@dataclass(frozen=True)
class Name:
    """A name that a file or folder was given, and what it was called before."""

    path: Path
    source: Path | None = None
    before: bytes | None = None
    """the file whose place it took"""

    def take_back(self) -> None:
        if self.source is not None and self.path.exists():
            self.path.replace(self.source)
        elif self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)
        if self.before is not None:
            self.path.write_bytes(self.before)


class Disk:
    """Changes that a power cut would take back."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._lengths: dict[Path, int] = {}
        """file whose bytes are not synced -> how many of them are"""
        self._names: list[Name] = []
        """those that are not synced"""

    def created(self, path: Path) -> None:
        """A new file has a name."""
        with self._lock:
            self._lengths[path] = 0
            self._names.append(Name(path))

    def made(self, path: Path) -> None:
        """A new folder has a name."""
        with self._lock:
            self._names.append(Name(path))

    def linked(self, source: Path, target: Path) -> None:
        """A file has another name besides."""
        with self._lock:
            if source in self._lengths:
                self._lengths[target] = self._lengths[source]
            self._names.append(Name(target))

    def moves(self, source: Path, target: Path) -> Callable[[], None]:
        """A file is about to be renamed; call the returned function after the rename."""
        before = target.read_bytes() if target.exists() else None

        def done() -> None:
            with self._lock:
                if source in self._lengths:
                    self._lengths[target] = self._lengths.pop(source)
                self._names.append(Name(target, source, before))

        return done

    def synced(self, path: Path) -> None:
        """A file's bytes, or a folder's entries, were synced."""
        with self._lock:
            self._lengths.pop(path, None)
            self._names = [name for name in self._names if name.path.parent != path]

    def cut(self) -> None:
        """Revert all unsynced changes."""
        with self._lock:
            for path, length in self._lengths.items():
                if path.exists():
                    os.truncate(path, length)
            for name in reversed(self._names):
                if name.path.parent.is_dir():
                    name.take_back()

    def leave(self, file: Path) -> None:
        """Save the unsynced changes: a process dies, but the machine keeps running."""
        with self._lock:
            file.write_bytes(pickle.dumps((self._lengths, self._names)))

    def take_over(self, file: Path) -> None:
        """Go on with what another process has left."""
        if file.exists():
            self._lengths, self._names = pickle.loads(file.read_bytes())
