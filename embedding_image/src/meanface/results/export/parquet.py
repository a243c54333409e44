"""Export to Parquet: one file of faces, or a folder in which an export of a larger collection adds files."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from meanface.errors import Conflict
from meanface.results.export.exported import Exported
from meanface.results.export.faces import digest, dimension, faces, faces_schema, templates
from meanface.results.reader import Result
from meanface.storage.files import Storage
from meanface.storage.own_parquet import own_metadata, own_parquet

MARKER = "meanface_export.json"
FACES, TEMPLATES = "faces", "templates.parquet"
_CONTENT, _ROWS = b"meanface.export", b"meanface.rows"
_PART = re.compile(r"[0-9a-f]{32}-(\d+)\.parquet")


class _Unchanged(Exception):
    """What would be written is there."""


def to_parquet(result: Result, target: str) -> list[Exported]:
    """Write all faces to one file; an earlier export is replaced if it has other faces."""
    folder, name = place(target)
    before = _earlier(folder, name)
    rows, content, metadata = 0, hashlib.sha256(), dict[bytes, bytes]()
    with _unless_unchanged(), folder.open_output(name) as output:
        with own_parquet(output, faces_schema(dimension(result)), metadata) as writer:
            for table in faces(result):
                writer.write_table(table)
                rows += len(table)
                for one in table["id"].to_pylist():
                    content.update(one)
            metadata |= {_CONTENT: content.hexdigest().encode(), _ROWS: str(rows).encode()}
        if before.get(_CONTENT) == content.hexdigest().encode():
            raise _Unchanged
    unchanged = before.get(_CONTENT) == content.hexdigest().encode()
    written, removed = (0, 0) if unchanged else (rows, int(before.get(_ROWS, 0)))
    return [Exported("faces", rows, written, removed)]


def to_folder(result: Result, target: str) -> list[Exported]:
    """Write the faces of each chunk to a file named by its content, below `faces/`, and `templates.parquet`.

    Runs cut equal photos into equal chunks, wherever others are added: a file whose photos are the same is not
    written again.
    """
    folder = Storage(target.rstrip("/"))
    _claim(folder, result)
    found = set(folder.list(FACES))
    current: set[str] = set()
    rows = written = 0
    for table in faces(result):
        name = f"{digest(table)[:32]}-{len(table)}.parquet"
        rows += len(table)
        if len(table) and name not in found | current:
            folder.write(f"{FACES}/{name}", _parquet(table))
            written += len(table)
        current.add(name)
    removed = 0
    for name in found - current:
        if part := _PART.fullmatch(name):
            folder.remove(f"{FACES}/{name}")
            removed += int(part[1])
    return [Exported("faces", rows, written, removed), _templates(folder, templates(result))]


def _templates(folder: Storage, table: pa.Table) -> Exported:
    before = _earlier(folder, TEMPLATES)
    content = digest(table).encode()
    if before.get(_CONTENT) == content:
        return Exported("templates", len(table), 0, 0)
    metadata = {_CONTENT: content, _ROWS: str(len(table)).encode()}
    with folder.open_output(TEMPLATES) as output, own_parquet(output, table.schema, metadata) as writer:
        writer.write_table(table)
    return Exported("templates", len(table), len(table), int(before.get(_ROWS, 0)))


def _claim(folder: Storage, result: Result) -> None:
    """Mark a new or empty folder as an export of this recipe; refuse any other."""
    entries = folder.entries()
    own = {"schema": 1, "recipe": result.summary.recipe, "dimension": dimension(result)}
    if MARKER in entries:
        try:
            found = json.loads(folder.read(MARKER))
        except ValueError:
            found = None
        if found != own:
            raise Conflict(
                f"{folder.url} is an export of another recipe, whose embeddings do not mix with these: "
                "export to another folder"
            )
        return
    if entries:
        raise Conflict(
            f"{folder.url} has files that meanface did not export, such as {min(entries)}: export to a new folder"
        )
    folder.write(MARKER, json.dumps(own).encode())


def place(target: str) -> tuple[Storage, str]:
    """The folder and name of a file."""
    folder, _, name = target.rpartition("/")
    return Storage(folder or "/"), name


def _earlier(folder: Storage, name: str) -> dict[bytes, bytes]:
    """The metadata of an earlier export; `Conflict` if another file has its name, or it was edited since."""
    if not folder.kind(name):
        return {}
    metadata = own_metadata(folder, name)
    if _CONTENT not in metadata:
        raise foreign(folder, name)
    return metadata


def foreign(folder: Storage, name: str) -> Conflict:
    """The error for a file that would be replaced."""
    return Conflict(
        f"{folder.url}/{name} is no export of meanface as it was written: if you edited it, or an earlier version "
        "wrote it, move it away; else give another name"
    )


def _parquet(table: pa.Table) -> bytes:
    output = io.BytesIO()
    with pq.ParquetWriter(output, table.schema, compression="zstd") as writer:
        writer.write_table(table)
    return output.getvalue()


@contextmanager
def _unless_unchanged() -> Iterator[Any]:
    try:
        yield
    except _Unchanged:
        return
