"""Labels by name, kept on disk until the photos that they belong to are listed."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

from meanface.dataset.scratch import scratch

_TABLE = "CREATE TABLE labels (name PRIMARY KEY, label, rank, used DEFAULT 0) WITHOUT ROWID"
_ADD = """
    INSERT INTO labels (name, label, rank) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET label = excluded.label, rank = excluded.rank WHERE excluded.rank >= labels.rank
"""


class LabelSpool:
    """Takes labels from any thread; of those for one name, the last of the highest rank counts."""

    def __init__(self) -> None:
        with scratch():
            self._folder = tempfile.TemporaryDirectory(prefix="meanface-")
        self._lock = threading.Lock()
        self._db = sqlite3.connect(Path(self._folder.name, "labels.db"), check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")  # the file is not needed after a crash
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(_TABLE)

    def add(self, name: str, label: str, rank: int = 0) -> None:
        """Add a label; raises `StorageUnavailable` if the temporary folder is full."""
        with self._lock, scratch():
            self._db.execute(_ADD, (name, label, rank))

    def take(self, name: str) -> str:
        """The label of a name; empty if there is none."""
        with self._lock, scratch():
            found = self._db.execute("SELECT label FROM labels WHERE name = ?", (name,)).fetchone()
            if found is not None:
                self._db.execute("UPDATE labels SET used = 1 WHERE name = ?", (name,))
        return str(found[0]) if found else ""

    def unused(self) -> tuple[int, str]:
        """The number of names whose label nobody has taken, and the first of them."""
        count, first = self._db.execute("SELECT COUNT(*), MIN(name) FROM labels WHERE used = 0").fetchone()
        return int(count), str(first or "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._db.close()
        self._folder.cleanup()
