"""Temporary files, whose errors name their folder and what to do."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

from meanface.errors import StorageUnavailable


@contextmanager
def scratch() -> Iterator[None]:
    """Translate errors of temporary files, which may be full, into `StorageUnavailable`."""
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
        self.lock = threading.Lock()
        with scratch(), ExitStack() as opened:
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="meanface-"))
            self.db = opened.enter_context(closing(sqlite3.connect(Path(folder, "table.db"), check_same_thread=False)))
            self.db.execute("PRAGMA journal_mode=OFF")  # the file is not needed after a crash
            self.db.execute("PRAGMA synchronous=OFF")
            self.db.execute(statement)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()
