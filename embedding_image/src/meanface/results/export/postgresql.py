"""Export to PostgreSQL with pgvector: tables of faces, templates and the mean in a schema of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from meanface.embedder.faces import Box
from meanface.errors import Conflict, SettingsError, StorageUnavailable, UsageError
from meanface.results.export.exported import Exported
from meanface.results.export.faces import dimension, faces, templates
from meanface.results.reader import Result
from meanface.storage.files import without_credentials

if TYPE_CHECKING:
    from psycopg import Connection, sql

_TABLES = """
CREATE TABLE {schema}.result (
    recipe text NOT NULL,         -- of all that affects the embeddings; another one is refused
    dimension int NOT NULL,
    run text NOT NULL,            -- the latest that was exported
    faces bigint NOT NULL,
    mean vector({dimension}) NOT NULL
);
CREATE TABLE {schema}.faces (
    id uuid PRIMARY KEY,          -- a hash of all columns and of the photo's bytes
    photo text NOT NULL,
    label text,
    face int NOT NULL,            -- its number in the photo
    "top" int NOT NULL,           -- of its box, in pixels
    "right" int NOT NULL,
    "bottom" int NOT NULL,
    "left" int NOT NULL,
    score double precision NOT NULL,
    embedding vector({dimension}) NOT NULL
);
CREATE TABLE {schema}.templates (
    label text PRIMARY KEY,
    faces bigint NOT NULL,
    mean vector({dimension}) NOT NULL,
    normalized vector({dimension}),
    trimmed vector({dimension}) NOT NULL,
    mean_distance double precision NOT NULL,
    largest_distance double precision NOT NULL
);
"""
_REMOVE_FACES = "DELETE FROM {schema}.faces f WHERE NOT EXISTS (SELECT FROM current c WHERE c.id = f.id)"
_REMOVE_TEMPLATES = (
    "DELETE FROM {schema}.templates t WHERE NOT EXISTS (SELECT FROM fresh f WHERE f IS NOT DISTINCT FROM t)"
)
_ADD_TEMPLATES = "INSERT INTO {schema}.templates SELECT * FROM fresh ON CONFLICT DO NOTHING"
_COLUMNS = ("id", "photo", "label", "face", *Box._fields, "score", "embedding")
_TEMPLATE_TYPES = ("text", "int8", "vector", "vector", "vector", "float8", "float8")
_TYPES = ("uuid", "text", "text", "int4", "int4", "int4", "int4", "int4", "float8", "vector")


def to_postgresql(result: Result, target: str, schema: str) -> list[Exported]:
    """Write `faces`, `templates` and `result` into a schema, in one transaction.

    Faces that are there are not written again, and those that are not in the result are removed. Embeddings keep their
    bits; pgvector holds means as float32.
    """
    with _connected(target) as connection:
        _prepare(connection, result, schema)
        written, rows = _add_faces(connection, result, schema)
        removed = _run(connection, _REMOVE_FACES, schema)
        by_label = _replace_templates(connection, templates(result), schema)
        connection.execute(
            _sql("UPDATE {schema}.result SET run = %s, faces = %s, mean = %s", schema),
            [result.summary.run or "", result.summary.faces, np.array(result.summary.mean, np.float32)],
        )
        return [Exported("faces", rows, written, removed), by_label]


@contextmanager
def _connected(target: str) -> Iterator[Connection[Any]]:
    """A transaction in the database; an error of PostgreSQL names the database without its password."""
    try:
        import pgvector.psycopg
        import psycopg
    except ImportError:
        raise SettingsError(
            "a database needs packages that are not installed: pip install 'meanface[pgvector]'"
        ) from None
    database = without_credentials(target)
    try:
        with psycopg.connect(target) as connection:
            _create_extension(connection, database)
            pgvector.psycopg.register_vector(connection)
            yield connection
    except psycopg.OperationalError as unreachable:
        raise StorageUnavailable(f"{database} cannot be reached: {_first_line(unreachable)}") from None
    except psycopg.Error as refused:
        raise UsageError(f"{database} refuses the export: {_first_line(refused)}") from None


def _create_extension(connection: Connection[Any], database: str) -> None:
    import psycopg

    if connection.execute("SELECT FROM pg_extension WHERE extname = 'vector'").fetchone() is not None:
        return
    try:
        connection.execute("CREATE EXTENSION vector")
    except psycopg.Error as refused:
        raise UsageError(
            f"{database} has no extension vector, and it cannot be created: {_first_line(refused)}. Install pgvector "
            "on the server, and run CREATE EXTENSION vector as an administrator of the database"
        ) from None


def _prepare(connection: Connection[Any], result: Result, schema: str) -> None:
    """Make the tables, or check that those in the schema are an export of this recipe; one export at a time."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"meanface export {schema}"])
    size = dimension(result)
    exists = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema]).fetchone() is not None
    if not exists:
        _run(connection, "CREATE SCHEMA {schema}", schema)
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
    names = {name for (name,) in tables}
    if not names:
        _run(connection, _TABLES, schema, size)
        connection.execute(
            _sql("INSERT INTO {schema}.result VALUES (%s, %s, '', 0, %s)", schema),
            [result.summary.recipe, size, np.zeros(size, np.float32)],
        )
    elif not {"result", "faces", "templates"} <= names:
        raise Conflict(f"schema {schema} has other tables, such as {min(names)}: give another one with --schema")
    else:
        found = connection.execute(_sql("SELECT recipe FROM {schema}.result", schema)).fetchall()
        if found != [(result.summary.recipe,)]:
            raise Conflict(
                f"schema {schema} has an export of another recipe, whose embeddings do not mix with these: "
                "give another one with --schema"
            )
    connection.execute("CREATE TEMPORARY TABLE current (id uuid PRIMARY KEY) ON COMMIT DROP")


def _add_faces(connection: Connection[Any], result: Result, schema: str) -> tuple[int, int]:
    """Write the faces that are not there; the number of them, and of all."""
    written = rows = 0
    for table in faces(result):
        ids = _uuids(table)
        current = connection.execute(
            "INSERT INTO current SELECT unnest(%s::uuid[]) ON CONFLICT DO NOTHING RETURNING id", [ids]
        )
        new = {one for (one,) in current.fetchall()}
        there = connection.execute(_sql("SELECT id FROM {schema}.faces WHERE id = ANY(%s::uuid[])", schema), [ids])
        missing = new - {one for (one,) in there.fetchall()}
        rows += len(new)
        written += len(missing)
        _copy(connection, table, ids, missing, schema)
    return written, rows


def _copy(connection: Connection[Any], table: pa.Table, ids: list[UUID], missing: set[UUID], schema: str) -> None:
    """Copy the missing faces of a table, each once; `missing` is empty afterwards."""
    names = ", ".join(f'"{name}"' for name in _COLUMNS)
    columns = [table[name].to_pylist() for name in _COLUMNS[1:-1]]
    embeddings = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    copying = _sql(f"COPY {{schema}}.faces ({names}) FROM STDIN WITH (FORMAT BINARY)", schema)
    with connection.cursor() as cursor, cursor.copy(copying) as copy:
        copy.set_types(_TYPES)
        for one, *row, embedding in zip(ids, *columns, embeddings, strict=True):
            if one in missing:
                missing.discard(one)
                copy.write_row((one, *row, embedding))


def _replace_templates(connection: Connection[Any], table: pa.Table, schema: str) -> Exported:
    """Write the templates that differ from those that are there, and remove those that are gone."""
    rows = table.to_pylist()
    connection.execute(_sql("CREATE TEMPORARY TABLE fresh (LIKE {schema}.templates) ON COMMIT DROP", schema))
    with connection.cursor() as cursor, cursor.copy("COPY fresh FROM STDIN WITH (FORMAT BINARY)") as copy:
        copy.set_types(_TEMPLATE_TYPES)
        for row in rows:
            means = (row[name] and np.array(row[name], np.float32) for name in ("mean", "normalized", "trimmed"))
            copy.write_row((row["label"], row["faces"], *means, row["mean_distance"], row["largest_distance"]))
    removed = _run(connection, _REMOVE_TEMPLATES, schema)
    written = _run(connection, _ADD_TEMPLATES, schema)
    return Exported("templates", len(rows), written, removed)


def _uuids(table: pa.Table) -> list[UUID]:
    return [UUID(bytes=one) for one in table["id"].to_pylist()]


def _run(connection: Connection[Any], text: str, schema: str, size: int = 0) -> int:
    """Run a statement; the number of rows that it wrote or removed."""
    return connection.execute(_sql(text, schema, size)).rowcount


def _sql(text: str, schema: str, size: int = 0) -> sql.Composed:
    from psycopg import sql

    names = {"schema": sql.Identifier(schema), "dimension": sql.Literal(size)}
    return sql.SQL(text).format(**names)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
