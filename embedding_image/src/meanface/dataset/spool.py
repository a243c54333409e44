"""Photo references that wait on disk until it is known which of them are duplicates.

Which of two photos of one name counts can depend on what comes last, and a dataset may have more names than memory has
room for: the references go through a temporary SQLite file.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from meanface.dataset.refs import PhotoRef
from meanface.dataset.scratch import scratch

BATCH = 1000
_TABLE = "CREATE TABLE photos (id INTEGER PRIMARY KEY, name, size, source, start, refusal, version)"
_INSERT = "INSERT INTO photos (name, size, source, start, refusal, version) VALUES (?, ?, ?, ?, ?, ?)"
_WITH_EARLIER = """
    SELECT name, size, source, start, refusal, version,
        EXISTS (SELECT 1 FROM photos other WHERE other.name = photos.name AND other.id < photos.id)
    FROM photos ORDER BY id
"""
_WITH_LATER = _WITH_EARLIER.replace("other.id < photos.id", "other.id > photos.id")


class RefSpool:
    """Takes references in, from any thread; gives them back in order, all but one of each name refused."""

    def __init__(self) -> None:
        with scratch():
            self._folder = tempfile.TemporaryDirectory(prefix="meanface-")
        self._lock = threading.Lock()
        self._db = sqlite3.connect(Path(self._folder.name, "photos.db"), check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")  # nobody reads the file after a crash
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(_TABLE)

    def add(self, refs: Iterable[PhotoRef]) -> None:
        """Add references, the batch's order kept.

        Raises
        ------
        StorageUnavailable
            the temporary folder is full
        """
        with self._lock, scratch():
            self._db.executemany(_INSERT, refs)

    def refs(self, keep: Literal["first", "last"], refusal: str) -> Iterator[PhotoRef]:
        """All of them; of those that share a name, only the first or the last is not given the refusal."""
        for ref, duplicate in self.marked(keep):
            refused = ref.refusal or (refusal if duplicate else "")
            yield ref._replace(refusal=refused, version="" if refused else ref.version)

    def marked(self, keep: Literal["first", "last"]) -> Iterator[tuple[PhotoRef, bool]]:
        """Each reference, and whether it is a duplicate; of those that share a name, the first or last is none."""
        with scratch():
            self._db.execute("CREATE INDEX names ON photos (name)")
        rows = self._db.execute(_WITH_EARLIER if keep == "first" else _WITH_LATER)
        for *fields, duplicate in rows:
            yield PhotoRef(*fields), bool(duplicate)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._folder.cleanup()


class Batch:
    """Adds references to a spool, many at a time; `flush` it at the end."""

    def __init__(self, spool: RefSpool) -> None:
        self._spool = spool
        self._refs: list[PhotoRef] = []

    def add(self, ref: PhotoRef) -> None:
        """Add one."""
        self._refs.append(ref)
        if len(self._refs) == BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand over what has gathered."""
        self._spool.add(self._refs)
        self._refs = []
