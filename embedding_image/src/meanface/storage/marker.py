"""`.meanface.json` marks an output folder as meanface's own; other folders are never changed.

A run or series writes only into a new or empty folder, or into one with the marker of the same
request. The marker is written first: all files that a killed process leaves are in a marked folder, where
the same command resumes. The photos are not part of the request, as a collection may grow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from meanface.errors import Conflict, DamagedRecord, OutputNotEmpty
from meanface.storage.files import Storage
from meanface.storage.record import Record

FILE = ".meanface.json"
_SHA256 = r"^[0-9a-f]{64}$"

_OF_THE_SYSTEM = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|lost\+found|\." + re.escape(FILE) + r"\.[0-9a-f]{32}")
"""files in a folder that counts as empty: those of the system, and unfinished markers"""


class Marker(Record):
    """The request that owns a folder."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["run", "series"]
    name: str
    """of the run or series"""
    dataset: str | None = None
    """of a run: the dataset's address without credentials; a local path is absolute"""
    recipe: str | None = None
    """of a run"""
    series: InSeries | None = None
    """of a run that belongs to a series"""

    def to_bytes(self) -> bytes:
        """Return the marker's JSON."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"


def is_marker(data: bytes) -> bool:
    """Tell whether this is a marker of any release of meanface."""
    return _is(_AnyMarker, data)


def is_manifest(data: bytes) -> bool:
    """Tell whether this is a manifest of any release of meanface."""
    return _is(_AnyManifest, data)


def _is(kind: type[BaseModel], data: bytes) -> bool:
    try:
        kind.model_validate_json(data)
    except ValidationError:
        return False
    return True


class _AnyManifest(BaseModel):
    """The fields that identify a manifest of any release."""

    schema_version: int = Field(alias="schema", ge=1)
    run: str
    recipe: str = Field(pattern=_SHA256)
    fingerprint: str = Field(pattern=_SHA256)
    settings: dict[str, Any]
    partitions: list[dict[str, Any]] = Field(min_length=1)


class _AnyMarker(BaseModel):
    """The fields that every release writes into a marker."""

    schema_version: int = Field(alias="schema", ge=1)
    kind: Literal["run", "series"]
    name: str


def claim(folder: Storage, marker: Marker) -> None:
    """Claim a folder for a request: mark it if it is new or empty, refuse it if it is another's.

    Raises `OutputNotEmpty` if it has no marker and is not empty, and `Conflict` if it belongs to
    another run or series, or to another request of the same run.
    """
    entries = _entries(folder)
    found = _found(folder)
    if found is None and not entries:
        if folder.create(FILE, marker.to_bytes()):
            return
        found = _found(folder)  # another process was faster
    if found is None:
        raise OutputNotEmpty(
            f"{folder.url} is not empty (it has {(entries or [FILE])[0]!r}) and holds no result of meanface: name a new"
            " or empty folder. Nothing in it was changed"
        )
    if found == marker:
        return
    if not entries:  # its request ended before it wrote anything, for example at a wrong address
        folder.write(FILE, marker.to_bytes())
        if not _entries(folder):
            return
        folder.write(FILE, found.to_bytes())  # it was still alive, and has written meanwhile
    raise Conflict(f"{folder.url} holds {_difference(found, marker)}: choose another folder, or remove this one")


class Claimed(Storage):
    """A claimed folder that checks its marker before each write.

    While it holds nothing but a marker, another request may claim it: a process that lists photos
    looks like one that has ended.
    """

    def __init__(self, folder: Storage, marker: Marker) -> None:
        vars(self).update(vars(folder))
        self._marker = marker

    def check(self) -> None:
        """Raise `Conflict`, which names the new owner, if the marker is no longer ours."""
        found = _found(self)
        if found != self._marker:
            holder = _difference(found, self._marker) if found else "no marker any more"
            raise Conflict(f"{self.url} holds {holder}: it was taken while photos were listed; choose another folder")

    @contextmanager
    def open_output(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file as `Storage.open_output` does, after a check."""
        self.check()
        with super().open_output(path) as output:
            yield output


def _entries(folder: Storage) -> list[str]:
    """List the folder's entries beside a marker."""
    try:
        names = folder.entries()
    except NotADirectoryError:
        raise OutputNotEmpty(f"{folder.url} is not a folder: name a new or empty one") from None
    return sorted(name for name in names if name != FILE and not _OF_THE_SYSTEM.fullmatch(name))


def _found(folder: Storage) -> Marker | None:
    """Return the folder's marker, if any.

    Raises `OutputNotEmpty` for a file of another program, `Conflict` for a marker of another
    release.
    """
    if not folder.exists(FILE):
        return None
    data = folder.read(FILE)
    try:
        return Marker.parsed(data, "a marker")
    except DamagedRecord:
        pass
    if is_marker(data):
        raise Conflict(
            f"{folder.url} holds results of another release of meanface: choose another folder, or remove it"
        )
    raise OutputNotEmpty(
        f"{folder.url}/{FILE} is not from meanface: name a new or empty folder. Nothing in {folder.url} was changed"
    )


def _difference(found: Marker, asked: Marker) -> str:
    """Describe the difference between the folder's marker and the request."""
    if (found.kind, found.name) != (asked.kind, asked.name):
        return f"the {found.kind} {found.name!r}, not the {asked.kind} {asked.name!r}"
    if found.dataset != asked.dataset:
        return f"a run over other photos or settings (dataset {found.dataset!r}, not {asked.dataset!r})"
    return f"a run over other photos or settings (the same {found.kind} with other settings or another version)"


class InSeries(Record):
    """The part of a series that a run computes, such as the photos of one day."""

    name: str
    """of the series"""
    interval: str
    """its start in UTC: 2026-01-02T00:00:00Z"""
