"""Spool photo references to disk until the listing has ended and duplicates are known.

The last of two photos with one name may be the one that counts, and memory may not hold all names:
the references go through a temporary SQLite file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meanface.dataset.refs import PhotoRef
from meanface.dataset.scratch import ScratchTable, scratch

_TABLE = "CREATE TABLE photos (id INTEGER PRIMARY KEY, name, size, source, start, refusal, version, label)"
_INSERT = "INSERT INTO photos (name, size, source, start, refusal, version, label) VALUES (?, ?, ?, ?, ?, ?, ?)"
_WITH_LATER = """
    SELECT name, size, source, start, refusal, version, label,
        EXISTS (SELECT 1 FROM photos other WHERE other.name = photos.name AND other.id > photos.id)
    FROM photos ORDER BY id
"""
_WITH_FIRST = """
    SELECT photos.name, photos.size, photos.source, photos.start, photos.refusal, photos.version, photos.label,
        first.id < photos.id,
        first.name, first.size, first.source, first.start, first.refusal, first.version, first.label
    FROM photos JOIN photos first
    ON first.id = (SELECT MIN(other.id) FROM photos other WHERE other.name = photos.name)
    ORDER BY photos.id
"""


class RefSpool(ScratchTable):
    """Takes references from any thread; returns them in order, with duplicate names marked."""

    def __init__(self) -> None:
        super().__init__(_TABLE)

    def add(self, ref: PhotoRef) -> None:
        """Add a reference; raises `StorageUnavailable` if the temporary folder is full."""
        with self.lock, scratch():
            self.db.execute(_INSERT, ref)

    def last_members(self) -> Iterator[PhotoRef]:
        """All references; of those that share a name, all but the last are refused."""
        for *fields, duplicate in self._joined(_WITH_LATER):
            ref = PhotoRef(*fields)
            refusal = ref.refusal or ("replaced by a later member of the same name" if duplicate else "")
            yield ref._replace(refusal=refusal, version="" if refusal else ref.version)

    def with_first(self) -> Iterator[tuple[PhotoRef, PhotoRef | None]]:
        """All references, each with the first one of its name, if that is another one."""
        count = len(PhotoRef._fields)
        for row in self._joined(_WITH_FIRST):
            yield PhotoRef(*row[:count]), PhotoRef(*row[count + 1 :]) if row[count] else None

    def _joined(self, query: str) -> Iterator[tuple[Any, ...]]:
        with scratch():
            self.db.execute("CREATE INDEX names ON photos (name)")
            yield from self.db.execute(query)
