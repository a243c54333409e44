"""Spool photo references to disk until the listing has ended and duplicates are known.

The last of two photos with one name may be the one that counts, and memory may not hold all names:
the references go through a temporary SQLite file.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from meanface.dataset.refs import PhotoRef
from meanface.dataset.scratch import scratch

_TABLE = "CREATE TABLE photos (id INTEGER PRIMARY KEY, name, size, source, start, refusal, version)"
_INSERT = "INSERT INTO photos (name, size, source, start, refusal, version) VALUES (?, ?, ?, ?, ?, ?)"
_WITH_EARLIER = """
    SELECT name, size, source, start, refusal, version,
        EXISTS (SELECT 1 FROM photos other WHERE other.name = photos.name AND other.id < photos.id)
    FROM photos ORDER BY id
"""
_WITH_LATER = _WITH_EARLIER.replace("other.id < photos.id", "other.id > photos.id")


class RefSpool:
    """Takes references from any thread; returns them in order, with duplicate names marked."""

    def __init__(self) -> None:
        with scratch():
            self._folder = tempfile.TemporaryDirectory(prefix="meanface-")
        self._lock = threading.Lock()
        self._db = sqlite3.connect(Path(self._folder.name, "photos.db"), check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")  # the file is not needed after a crash
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(_TABLE)

    def add(self, ref: PhotoRef) -> None:
        """Add a reference; raises `StorageUnavailable` if the temporary folder is full."""
        with self._lock, scratch():
            self._db.execute(_INSERT, ref)

    def last_members(self) -> Iterator[PhotoRef]:
        """All references; of those that share a name, all but the last are refused."""
        for ref, duplicate in self.with_duplicates(keep="last"):
            refusal = ref.refusal or ("replaced by a later member of the same name" if duplicate else "")
            yield ref._replace(refusal=refusal, version="" if refusal else ref.version)

    def with_duplicates(self, keep: Literal["first", "last"]) -> Iterator[tuple[PhotoRef, bool]]:
        """All references, and whether another one with the same name is kept instead."""
        with scratch():
            self._db.execute("CREATE INDEX names ON photos (name)")
        rows = self._db.execute(_WITH_EARLIER if keep == "first" else _WITH_LATER)
        for *fields, duplicate in rows:
            yield PhotoRef(*fields), bool(duplicate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()
        self._folder.cleanup()
