"""Results of meanface inside a dataset are no photos of it, wherever they lie and in whatever order they come."""

from __future__ import annotations

import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from meanface.storage.marker import Marker

MARKER = Marker(kind="run", name="local", dataset="/photos", recipe="0" * 64).to_bytes()
RESULTS = "results of meanface"


@pytest.fixture
def tree(photo: Callable[..., bytes]) -> dict[str, bytes]:
    """Three photos; three folders with results, whose photos are none of the dataset's."""
    return {
        "a.jpg": photo(1),
        "zoe/b.jpg": photo(2),
        "results-of-march/c.jpg": photo(3),
        "zoe/.meanface.json": b'{"theme": "dark"}',
        "results/.meanface.json": MARKER,
        "results/mean_face.png": photo(4),
        "results/(1).jpg": photo(5),
        "results/-of/the/user.jpg": photo(6),
        "results/.meanface/0123": b"",
        "results/ledger/00000/00000.parquet": b"PAR1",
        "deep/er/.meanface.json": b'{"schema": 9, "kind": "series", "name": "faces", "more": 1}',
        "deep/er/zoe.jpg": photo(7),
        "#recycle/.meanface.json": MARKER,
        "#recycle/a.jpg": photo(11),
    }


PHOTOS = ["a.jpg", "results-of-march/c.jpg", "zoe/b.jpg"]
ACCOUNT = {RESULTS: 8, "files in a trash folder": 2, "hidden files": 1}
BEFORE_MARKER = ["results/(1).jpg", "results/-of/the/user.jpg"]
IN_ORDER = ACCOUNT | {RESULTS: 6}
"""Where names come in alphabetical order, a user's photos may come before the marker."""


def write(folder: Path, tree: dict[str, bytes]) -> Path:
    for name, data in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_in_a_folder(tree: dict[str, bytes], tmp_path: Path, listed: Any) -> None:
    found = listed(write(tmp_path / "photos", tree))
    assert found.names == PHOTOS
    assert found.passed_over == ACCOUNT


def test_in_a_bucket(tree: dict[str, bytes], bucket: Any, listed: Any) -> None:
    for name, data in tree.items():
        bucket.pipe_file(f"photos/day/{name}", data)
    found = listed("s3://photos/day")
    assert found.names == sorted(PHOTOS + BEFORE_MARKER)
    assert found.passed_over == IN_ORDER


def test_in_another_file_system(tree: dict[str, bytes], listed: Any) -> None:
    fs = fsspec.filesystem("memory")
    for name, data in tree.items():
        fs.pipe_file(f"/results-in-memory/{name}", data)
    found = listed("memory://results-in-memory")
    assert found.names == sorted([*PHOTOS, "results/(1).jpg"])  # a folder's files come before its folders
    assert found.passed_over == IN_ORDER | {RESULTS: 7}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["tar", "zip", "shards"])
def test_in_archives_in_any_order(
    tree: dict[str, bytes], tmp_path: Path, tarred: Any, listed: Any, kind: str, seed: int
) -> None:
    members = sorted(tree.items())
    random.Random(seed).shuffle(members)
    path = tmp_path / f"photos.{kind}"
    dataset: str | Path = path
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members:
                archive.writestr(name, data)
    elif kind == "tar":
        path.write_bytes(tarred(*members))
    else:
        path.mkdir()
        (path / "0.tar").write_bytes(tarred(*members))
        dataset = f"{path}/*.tar"
    found = listed(dataset)
    start = "0.tar/" if kind == "shards" else ""
    assert found.names == [f"{start}{name}" for name in PHOTOS]
    assert sum(found.passed_over.values()) == sum(ACCOUNT.values())
    assert found.passed_over[RESULTS] >= sum(name.endswith((".jpg", ".png")) for name in tree) - 4
    assert set(found.read_all().values()) == {tree[name] for name in PHOTOS}


def test_a_dataset_that_is_a_result_has_no_photo(tree: dict[str, bytes], tmp_path: Path, listed: Any) -> None:
    for name in ("results", "deep/er"):
        found = listed(write(tmp_path, tree) / name)
        assert found.names == []
        assert list(found.passed_over) == [RESULTS]


def test_a_wildcard_from_above_finds_no_shards_of_a_result(tmp_path: Path, tarred: Any, listed: Any) -> None:
    tree = {"0.tar": tarred(("a.jpg", b"a")), "out/.meanface.json": MARKER, "out/shards/0.tar": tarred(("b.jpg", b"b"))}
    write(tmp_path, tree)
    found = listed(f"{tmp_path}/**/*.tar")
    assert found.names == ["0.tar/a.jpg"]
    assert found.passed_over == {RESULTS: 1}
    assert listed(f"{tmp_path}/out/shards/*.tar").names == ["0.tar/b.jpg"]


def test_a_marker_must_be_a_file(tmp_path: Path, photo: Callable[..., bytes], listed: Any) -> None:
    write(tmp_path / "photos", {"a/a.jpg": photo(), "b/b.jpg": photo(), "c/c.jpg": photo(), "d/d.jpg": photo()})
    (tmp_path / "photos/a/.meanface.json").mkdir()
    os.mkfifo(tmp_path / "photos/b/.meanface.json")
    (tmp_path / "marker").write_bytes(MARKER)
    (tmp_path / "photos/c/.meanface.json").symlink_to(tmp_path / "marker")  # out of the dataset
    (tmp_path / "photos/d/.meanface.json").symlink_to("nowhere")
    assert listed(tmp_path / "photos").names == ["a/a.jpg", "b/b.jpg", "c/c.jpg", "d/d.jpg"]


def test_a_damaged_marker_of_an_archive_marks_no_folder(tmp_path: Path, listed: Any, photo: Any) -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("a/.meanface.json", MARKER)
        archive.writestr("a/a.jpg", photo())
    data = output.getvalue().replace(MARKER, MARKER[:-2] + b"  ", 1)
    (tmp_path / "photos.zip").write_bytes(data)
    assert listed(tmp_path / "photos.zip").names == ["a/a.jpg"]
