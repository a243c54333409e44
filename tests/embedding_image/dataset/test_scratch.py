"""A full temporary folder is named, whatever is written or read at that moment."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from meanface.dataset import scratch
from meanface.dataset.label_spool import LabelSpool
from meanface.dataset.refs import PhotoRef
from meanface.dataset.spool import RefSpool
from meanface.errors import StorageUnavailable

NAMED = "cannot write temporary files to .*: database or disk is full; set TMPDIR to a folder with more room"


class Full(sqlite3.Connection):
    """A database on a full disk, from the statement with this word on."""

    word = "no statement"

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        if self.word in statement:
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(statement, *values)


@pytest.fixture(autouse=True)
def full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scratch.sqlite3, "connect", partial(sqlite3.connect, factory=Full))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("word", ["PRAGMA", "CREATE TABLE"])
def test_a_table_that_cannot_be_made_leaves_nothing(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Full, "word", word)
    with pytest.raises(StorageUnavailable, match=NAMED):
        RefSpool()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("returned", [RefSpool.last_members, RefSpool.with_first])
@pytest.mark.parametrize("word", ["CREATE INDEX", "SELECT"])
def test_references_that_cannot_be_returned_are_named(
    word: str, returned: Callable[[RefSpool], Iterator[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RefSpool() as spool:
        spool.add(PhotoRef("a.jpg", 9))
        monkeypatch.setattr(Full, "word", word)
        with pytest.raises(StorageUnavailable, match=NAMED):
            list(returned(spool))


def test_labels_that_cannot_be_counted_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with LabelSpool() as labels:
        monkeypatch.setattr(Full, "word", "SELECT")
        with pytest.raises(StorageUnavailable, match=NAMED):
            labels.unused()
