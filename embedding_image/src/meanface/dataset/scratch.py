"""Temporary files, whose errors name their folder and what to do."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from meanface.errors import StorageUnavailable


@contextmanager
def scratch() -> Iterator[None]:
    """Translate errors of writing temporary files into `StorageUnavailable`."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        cause = getattr(error, "strerror", None) or error
        raise StorageUnavailable(
            f"cannot write temporary files to {tempfile.gettempdir()}: {cause}; set TMPDIR to a folder with more room"
        ) from error


class ScratchTable:
    """A temporary SQLite table for more rows than memory holds; threads share it under `lock`."""

    def __init__(self, statement: str) -> None:
        """Create the table by its SQL statement."""
        with scratch():
            self._folder = tempfile.TemporaryDirectory(prefix="meanface-")
        self.lock = threading.Lock()
        self.db = sqlite3.connect(Path(self._folder.name, "table.db"), check_same_thread=False)
        self.db.execute("PRAGMA journal_mode=OFF")  # the file is not needed after a crash
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.db.close()
        self._folder.cleanup()
