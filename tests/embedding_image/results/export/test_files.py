"""Exports to files hold every face and template, to the bit, and an export of a later result writes what is new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from meanface.errors import Conflict, DamagedRecord, SettingsError
from meanface.results.export import export
from meanface.results.export.exported import Exported
from meanface.results.reader import Result
from synthetic import rewrite_parquet

FACES = 97
CHANGED = [3, 2]
"""faces of the later result that the first does not have, and the other way round"""


def embeddings_of(result: Result) -> np.ndarray:
    return np.concatenate([chunk.embeddings() for chunk in result.chunks()])


def counts(found: list[Exported]) -> dict[str, tuple[int, int, int]]:
    return {one.name: (one.rows, one.written, one.removed) for one in found}


def test_parquet_has_every_face_to_the_bit(result: Result, tmp_path: Path) -> None:
    target = str(tmp_path / "people.parquet")
    assert counts(export(result, target)) == {"faces": (FACES, FACES, 0)}
    table = pq.read_table(target)
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[128]"
    assert np.stack(table["embedding"].to_numpy()).tobytes() == embeddings_of(result).tobytes()
    ledger = duckdb.sql(f"FROM '{result.files.url}/ledger/**/*.parquet' WHERE face IS NOT NULL ORDER BY position, face")
    columns = 'photo, label, face, top, "right", bottom, "left", score'
    assert duckdb.sql(f"SELECT {columns} FROM '{target}'").fetchall() == ledger.select(columns).fetchall()
    assert len(set(table["id"].to_pylist())) == FACES


def test_npz_has_faces_and_templates(result: Result, tmp_path: Path) -> None:
    target = tmp_path / "people.npz"
    assert counts(export(result, str(target))) == {"faces": (FACES, FACES, 0), "templates": (7, 7, 0)}
    with np.load(target) as arrays:
        assert arrays["embeddings"].tobytes() == embeddings_of(result).tobytes()
        means, labels = arrays["template_means"], arrays["template_labels"]
        of_each = [arrays["embeddings"][arrays["labels"] == label].astype(float) for label in labels]
        assert arrays["template_faces"].tolist() == [len(rows) for rows in of_each]
        assert arrays["boxes"].shape == (FACES, 4)
        assert arrays["photos"][0] == "0/007.jpg"
    np.testing.assert_allclose(means, [rows.mean(axis=0) for rows in of_each], rtol=0, atol=1e-15)


def test_a_folder_has_faces_and_templates(result: Result, tmp_path: Path) -> None:
    assert counts(export(result, f"{tmp_path}/people/")) == {"faces": (FACES, FACES, 0), "templates": (7, 7, 0)}
    table = pq.read_table(tmp_path / "people/faces")
    assert sorted(map(bytes, np.stack(table["embedding"].to_numpy()))) == sorted(map(bytes, embeddings_of(result)))
    templates = pq.read_table(tmp_path / "people/templates.parquet")
    assert templates["label"].to_pylist() == [str(n) for n in range(7)]
    np.testing.assert_allclose(np.linalg.norm(np.stack(templates["normalized"].to_numpy()), axis=1), 1, atol=1e-15)


@pytest.mark.parametrize("name", ["people.parquet", "people.npz", "people/", "people.faiss"])
def test_an_export_is_not_written_again(result: Result, tmp_path: Path, name: str) -> None:
    export(result, f"{tmp_path}/{name}")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert all((one.written, one.removed) == (0, 0) for one in export(result, f"{tmp_path}/{name}"))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}.items() <= before.items()


def test_a_folder_of_a_later_result_gets_new_files_only(result: Result, later: Result, tmp_path: Path) -> None:
    target = f"{tmp_path}/people/"
    export(result, target)
    kept = {path.name: path.stat().st_ino for path in (tmp_path / "people/faces").iterdir()}
    rows, written, removed = counts(export(later, target))["faces"]
    files = {path.name: path.stat().st_ino for path in (tmp_path / "people/faces").iterdir()}
    assert rows == pq.read_table(tmp_path / "people/faces").num_rows == FACES + CHANGED[0] - CHANGED[1]
    assert rows == FACES - removed + written
    assert kept.keys() & files.keys()
    assert all(kept[name] == inode for name, inode in files.items() if name in kept)
    assert sorted(map(bytes, np.stack(pq.read_table(tmp_path / "people/faces")["embedding"].to_numpy()))) == sorted(
        map(bytes, embeddings_of(later))
    )


@pytest.mark.parametrize("name", ["people.parquet", "people.npz"])
def test_a_file_of_a_later_result_is_replaced(result: Result, later: Result, tmp_path: Path, name: str) -> None:
    export(result, f"{tmp_path}/{name}")
    rows, written, removed = counts(export(later, f"{tmp_path}/{name}"))["faces"]
    assert (rows, written, removed) == (FACES + 1, FACES + 1, FACES)


@pytest.mark.parametrize("name", ["people.parquet", "people.npz", "people.faiss", "people.faiss.names.parquet"])
def test_a_file_of_others_is_not_replaced(result: Result, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("my notes")
    with pytest.raises(Conflict, match=f"{name} is no export of meanface.*another name"):
        export(result, f"{tmp_path}/{name.removesuffix('.names.parquet')}")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "my notes"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("people.parquet", "people.parquet"),
        ("people/", "people/templates.parquet"),
        ("people.faiss", "people.faiss.names.parquet"),
    ],
)
def test_a_parquet_file_that_was_edited_is_not_replaced(
    result: Result, later: Result, tmp_path: Path, name: str, file: str
) -> None:
    """A program may keep the metadata of a table that it edits."""
    export(result, f"{tmp_path}/{name}")
    rewrite_parquet(tmp_path / file, pq.read_table(tmp_path / file).slice(1))
    edited = (tmp_path / file).read_bytes()
    with pytest.raises(Conflict, match=f"{file} is no export of meanface as it was written: if you edited it"):
        export(later, f"{tmp_path}/{name}")
    assert (tmp_path / file).read_bytes() == edited


def test_a_folder_of_others_is_not_written_to(result: Result, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("my notes")
    with pytest.raises(Conflict, match=r"has files that meanface did not export, such as notes\.txt"):
        export(result, f"{tmp_path}/")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["people/", "people.faiss"])
def test_recipes_do_not_mix(
    result: Result, other_recipe: Callable[[Result], Result], tmp_path: Path, name: str
) -> None:
    export(result, f"{tmp_path}/{name}")
    with pytest.raises(Conflict, match="is an export of another recipe"):
        export(other_recipe(result), f"{tmp_path}/{name}")


def test_without_labels_there_are_no_templates(unlabelled: Result, tmp_path: Path) -> None:
    assert counts(export(unlabelled, f"{tmp_path}/people/"))["templates"] == (0, 0, 0)
    assert pq.read_table(tmp_path / "people/templates.parquet").num_rows == 0
    assert set(pq.read_table(tmp_path / "people/faces")["label"].to_pylist()) == {None}


@pytest.mark.parametrize("target", ["people.csv", "people", "mysql://host/people"])
def test_an_unknown_target_is_refused(result: Result, target: str) -> None:
    with pytest.raises(SettingsError, match=r"expected a name that ends in \.npz, \.parquet or \.faiss"):
        export(result, target)


def test_a_schema_is_for_databases(result: Result, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only a database has schemas"):
        export(result, f"{tmp_path}/people.npz", schema="family")


def test_a_result_without_ledger_is_refused(result: Result, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    for name in ("result.json", "moments.npz"):
        (tmp_path / "copy" / name).write_bytes(result.files.read(name))
    with pytest.raises(DamagedRecord, match=r"no manifest\.json, and so no ledger"):
        export(Result.at(str(tmp_path / "copy")), f"{tmp_path}/people.parquet")
    assert not (tmp_path / "people.parquet").exists()
