"""The marker of a folder that is ours, `.meanface.json`, and the rule that keeps all other folders as they are.

A run writes into a folder that is new or empty, or that has the marker of the same request; so does a series. The
marker is written before anything else, so that whatever a killed process leaves behind lies in a marked folder, with
which the same command goes on. Which photos there are is no part of the request: a collection may grow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meanface.errors import Conflict, DamagedRecord, OutputNotEmpty
from meanface.storage.files import Storage
from meanface.storage.record import Record

FILE = ".meanface.json"
_SHA256 = r"^[0-9a-f]{64}$"

_OF_THE_SYSTEM = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|lost\+found|\." + re.escape(FILE) + r"\.[0-9a-f]{32}")
"""names in a folder that people take for empty, and those under which `Storage` begins a marker; all stay"""


class Marker(Record):
    """Whose folder it is."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["run", "series"]
    name: str
    """of the run or series"""
    dataset: str | None = None
    """of a run: the address of its photos, without credentials; of a folder or file on this machine, its whole path"""
    recipe: str | None = None
    """of a run"""
    series: InSeries | None = None
    """of a run that is part of one"""

    def to_bytes(self) -> bytes:
        """As kept in the folder."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"


def is_marker(data: bytes) -> bool:
    """Whether a file named `.meanface.json` is ours, of this release or another.

    >>> is_marker(b'{"schema": 2, "kind": "run", "name": "local", "more": 1}'), is_marker(b'{"theme": "dark"}')
    (True, False)
    """
    try:
        _AnyMarker.model_validate_json(data)
    except ValidationError:
        return False
    return True


def is_manifest(data: bytes) -> bool:
    """Whether a file named `manifest.json` is a run's plan, of this release or another."""
    try:
        _AnyManifest.model_validate_json(data)
    except ValidationError:
        return False
    return True


class _AnyManifest(BaseModel):
    """As much of a manifest as tells it from any other JSON file, in every release."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = Field(alias="schema", ge=1)
    run: str
    recipe: str = Field(pattern=_SHA256)
    fingerprint: str = Field(pattern=_SHA256)
    settings: dict[str, Any]
    partitions: list[dict[str, Any]] = Field(min_length=1)


class _AnyMarker(BaseModel):
    """As much of a marker as every release writes."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = Field(alias="schema", ge=1)
    kind: Literal["run", "series"]
    name: str


def claim(folder: Storage, marker: Marker, earlier: Callable[[], bool] = lambda: False) -> None:
    """Have a folder be this run's or series': mark it where it is new or empty, refuse it where it is another's.

    Parameters
    ----------
    marker
        that the folder must have
    earlier
        tells whether a folder without a marker is from a release that made none; its recipes are other ones

    Raises
    ------
    OutputNotEmpty
        it has no marker, and something else is in it
    Conflict
        it is another run's or series', or the same run was asked for something else
    """
    others = _others(folder)
    found = _found(folder)
    if found is None and not others:
        if folder.create(FILE, marker.to_bytes()):
            return
        found = _found(folder)  # of a process that was faster
    if found is None:
        if earlier():
            raise _of_another_release(folder)
        raise OutputNotEmpty(
            f"{folder.url} is not empty (it has {(others or [FILE])[0]!r}) and holds no result of meanface: name a new"
            " or empty folder. Nothing in it was changed"
        )
    if found == marker:
        return
    if not others:  # a request that ended before it wrote anything else, one with a wrong address say
        folder.write(FILE, marker.to_bytes())
        if not _others(folder):
            return
        folder.write(FILE, found.to_bytes())  # it has not ended, and has begun to write
    raise Conflict(f"{folder.url} holds {_difference(found, marker)}: choose another place, or remove it")


class Claimed(Storage):
    """A claimed folder, into which a file is written only as long as the marker is ours.

    As long as there is nothing but a marker in it, another request may take it: nobody can tell a process that lists
    photos from one that has ended.
    """

    def __init__(self, folder: Storage, marker: Marker) -> None:
        vars(self).update(vars(folder))
        self._marker = marker

    def check(self) -> None:
        """See that the marker is still ours.

        Raises
        ------
        Conflict
            naming the request that has the folder now
        """
        found = _found(self)
        if found != self._marker:
            holder = _difference(found, self._marker) if found else "no marker any more"
            raise Conflict(f"{self.url} holds {holder}: it was taken while photos were listed; choose another place")

    @contextmanager
    def open_output(self, path: str) -> Iterator[IO[bytes]]:
        """As that of any storage, behind a check."""
        self.check()
        with super().open_output(path) as output:
            yield output


def _others(folder: Storage) -> list[str]:
    """What is in the folder beside a marker."""
    try:
        names = folder.entries()
    except NotADirectoryError:
        raise OutputNotEmpty(f"{folder.url} is no folder: name a new or empty one") from None
    return sorted(name for name in names if name != FILE and not _OF_THE_SYSTEM.fullmatch(name))


def _found(folder: Storage) -> Marker | None:
    """The folder's marker; None where there is none.

    Raises
    ------
    OutputNotEmpty
        a file that is no marker has its name
    Conflict
        it is a marker that this release cannot read
    """
    if not folder.exists(FILE):
        return None
    data = folder.read(FILE)
    try:
        return Marker.parsed(data, "a marker")
    except DamagedRecord:
        pass
    if is_marker(data):
        raise _of_another_release(folder)
    raise OutputNotEmpty(
        f"{folder.url}/{FILE} is not meanface's: name a new or empty folder. Nothing in {folder.url} was changed"
    )


def _of_another_release(folder: Storage) -> Conflict:
    return Conflict(f"{folder.url} holds results of another release of meanface: choose another place, or remove it")


def _difference(found: Marker, asked: Marker) -> str:
    """What a folder holds that is not what was asked for."""
    if (found.kind, found.name) != (asked.kind, asked.name):
        return f"the {found.kind} {found.name!r}, not the {asked.kind} {asked.name!r}"
    if found.dataset != asked.dataset:
        return f"a run over other photos or settings (those of {found.dataset!r}, not of {asked.dataset!r})"
    return f"a run over other photos or settings (the same {found.kind} with other settings or another version)"


class InSeries(Record):
    """Which part of which series a run is: one date of photos that come in by the day, say."""

    name: str
    """of the series"""
    interval: str
    """its date, in UTC: 2026-01-02T00:00:00Z"""
