"""FAISS and pgvector find the neighbours that a comparison with every face and template finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest
from pgvector.psycopg import register_vector

from meanface.errors import Conflict, DamagedRecord, StorageUnavailable
from meanface.results.export import export
from meanface.results.export.faces import templates
from meanface.results.reader import Result
from meanface.storage.files import Storage
from pgvector_server import pgvector_server
from synthetic import embeddings

NEIGHBOURS = 5
QUERIES = embeddings(30, 321)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with pgvector_server() as address:
        yield address


@pytest.fixture
def database(server: str) -> Iterator[psycopg.Connection]:
    """A connection; what a test has exported is removed after it."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        yield connection
        for schema in ("meanface", "family"):
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def nearest_faces(result: Result, query: np.ndarray) -> list[tuple[str, int]]:
    """Photo and face of the nearest ones, by distances to all."""
    rows = [row for chunk in result.chunks() for row in chunk.table.to_pylist() if row["face"] is not None]
    vectors = np.array([row["embedding"] for row in rows])
    order = np.argsort(((vectors - query.astype(float)) ** 2).sum(axis=1), kind="stable")[:NEIGHBOURS]
    return [(rows[n]["photo"], rows[n]["face"]) for n in order]


def test_faiss_has_the_same_neighbours(result: Result, later: Result, tmp_path: Path) -> None:
    target = tmp_path / "people.faiss"
    export(result, str(target))
    for shown in (result, later):
        (found,) = export(shown, str(target))
        index = faiss.read_index(str(target))
        names = {row["number"]: row for row in pq.read_table(f"{target}.names.parquet").to_pylist()}
        assert index.ntotal == len(names) == found.rows
        _, numbers = index.search(QUERIES, NEIGHBOURS)
        for query, near in zip(QUERIES, numbers.tolist(), strict=True):
            assert [(names[n]["photo"], names[n]["face"]) for n in near] == nearest_faces(shown, query)
    assert (found.written, found.removed) == (3, 2)


def test_faiss_keeps_the_bits(result: Result, tmp_path: Path) -> None:
    export(result, f"{tmp_path}/people.faiss")
    index = faiss.read_index(f"{tmp_path}/people.faiss")
    numbers = pq.read_table(f"{tmp_path}/people.faiss.names.parquet")["number"].to_pylist()
    vectors = np.stack([index.reconstruct(number) for number in numbers])
    assert vectors.tobytes() == np.concatenate([chunk.embeddings() for chunk in result.chunks()]).tobytes()


def test_an_export_that_is_killed_between_names_and_index_continues(
    result: Result, later: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "people.faiss"
    export(result, str(target))
    write = Storage.write

    def killed(self: Storage, path: str, data: bytes) -> None:
        if path == target.name:
            raise ZeroDivisionError
        write(self, path, data)

    with monkeypatch.context() as context:
        context.setattr(Storage, "write", killed)
        with pytest.raises(ZeroDivisionError):
            export(later, str(target))
    (found,) = export(later, str(target))
    assert (found.written, found.removed) == (3, 2)
    names = pq.read_table(f"{target}.names.parquet")["number"].to_pylist()
    assert sorted(names) == sorted(faiss.vector_to_array(faiss.read_index(str(target)).id_map).tolist())
    (again,) = export(later, str(target))
    assert (again.written, again.removed) == (0, 0)


def test_an_index_without_its_names_is_refused(result: Result, tmp_path: Path) -> None:
    export(result, f"{tmp_path}/people.faiss")
    (tmp_path / "people.faiss.names.parquet").unlink()
    with pytest.raises(Conflict, match=r"\.names\.parquet beside it is missing"):
        export(result, f"{tmp_path}/people.faiss")


def test_pgvector_has_the_same_neighbours(result: Result, database: psycopg.Connection, server: str) -> None:
    faces, by_label = export(result, server)
    assert (faces.rows, faces.written, by_label.written) == (97, 97, 7)
    nearest = f"SELECT photo, face FROM meanface.faces ORDER BY embedding <-> %s LIMIT {NEIGHBOURS}"
    for query in QUERIES:
        assert database.execute(nearest, [query]).fetchall() == nearest_faces(result, query)
    means = templates(result)
    vectors = np.stack(means["mean"].to_numpy())
    for query in QUERIES:
        label = database.execute("SELECT label FROM meanface.templates ORDER BY mean <-> %s LIMIT 1", [query])
        nearest_one = int(np.argmin(((vectors - query) ** 2).sum(axis=1)))
        assert label.fetchone() == (means["label"][nearest_one].as_py(),)


def test_pgvector_keeps_the_bits(result: Result, database: psycopg.Connection, server: str) -> None:
    export(result, server)
    found = dict(database.execute("SELECT photo || face, embedding FROM meanface.faces").fetchall())
    for chunk in result.chunks():
        rows = chunk.table.filter(chunk.table["embedding"].is_valid()).to_pylist()
        for row, vector in zip(rows, chunk.embeddings(), strict=True):
            assert (
                np.asarray(found[f"{row['photo']}{row['face']}"].to_numpy(), np.float32).tobytes() == vector.tobytes()
            )


def test_a_later_result_changes_a_database_by_what_is_new(
    result: Result, later: Result, database: psycopg.Connection, server: str
) -> None:
    export(result, server)
    rows = database.execute("SELECT id, xmin::text FROM meanface.faces").fetchall()
    again = export(result, server)
    assert [(one.written, one.removed) for one in again] == [(0, 0), (0, 0)]
    faces, by_label = export(later, server)
    assert (faces.written, faces.removed) == (3, 2)
    assert (by_label.written, by_label.removed) == (4, 3)
    kept = database.execute("SELECT id, xmin::text FROM meanface.faces").fetchall()
    assert len(set(rows) & set(kept)) == faces.rows - faces.written
    (mean,) = database.execute("SELECT mean FROM meanface.result").fetchone() or ()
    assert mean.to_list() == np.float32(later.summary.mean).tolist()


def test_tables_of_others_stay(result: Result, database: psycopg.Connection, server: str) -> None:
    database.execute("CREATE SCHEMA family")
    database.execute("CREATE TABLE family.faces (name text)")
    with pytest.raises(Conflict, match="schema family has other tables, such as faces: give another one"):
        export(result, server, schema="family")
    assert database.execute("SELECT count(*) FROM family.faces").fetchone() == (0,)


def test_another_recipe_is_refused_by_the_database(
    result: Result, other_recipe: Callable[[Result], Result], database: psycopg.Connection, server: str
) -> None:
    export(result, server, schema="family")
    with pytest.raises(Conflict, match="schema family has an export of another recipe"):
        export(other_recipe(result), server, schema="family")
    assert database.execute("SELECT count(*) FROM family.faces").fetchone() == (97,)


def test_an_export_that_is_interrupted_leaves_nothing(
    result: Result, database: psycopg.Connection, server: str, tmp_path: Path
) -> None:
    damaged = tmp_path / "copy"
    for name in ("result.json", "moments.npz", "manifest.json"):
        damaged.mkdir(exist_ok=True)
        (damaged / name).write_bytes(result.files.read(name))
    with pytest.raises(DamagedRecord, match="ledger"):
        export(Result.at(str(damaged)), server)
    assert database.execute("SELECT FROM pg_namespace WHERE nspname = 'meanface'").fetchone() is None


def test_a_password_stays_out_of_messages(result: Result) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        export(result, "postgresql://someone:secret@127.0.0.1:1/people")
    assert "secret" not in str(refused.value)
    assert "postgresql://127.0.0.1:1/people cannot be reached" in str(refused.value)
