"""A folder is used only if it is new, empty, or our own; any other folder is refused, and stays unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from meanface.errors import Conflict, OutputNotEmpty
from meanface.storage import marker
from meanface.storage.files import Storage
from meanface.storage.marker import FILE, InSeries, Marker, claim

OURS = Marker(kind="run", name="local", dataset="/photos", recipe="0" * 64)


@pytest.fixture(params=["folder", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "out") if request.param == "folder" else f"memory://{uuid4().hex}/out")


def test_a_new_folder_is_marked_and_found_again(folder: Storage) -> None:
    for _ in range(2):
        claim(folder, OURS)
        assert folder.entries() == {FILE}
        assert Marker.parsed(folder.read(FILE), "a marker") == OURS
    folder.write("ledger/00000/00000.parquet", b"x")
    claim(folder, OURS)


@pytest.mark.parametrize("file", ["report.html", "chips/wafer1.tif", ".hidden", "manifest.json", "shards/00000.tar"])
def test_a_folder_with_foreign_files_is_refused_by_name(folder: Storage, file: str) -> None:
    folder.write(file, b"mine")
    with pytest.raises(OutputNotEmpty, match=f"out is not empty .it has '{file.partition('/')[0]}'.* new or empty"):
        claim(folder, OURS)
    assert folder.entries() == {file.partition("/")[0]}
    assert folder.read(file) == b"mine"


def test_a_foreign_marker_is_refused(folder: Storage) -> None:
    folder.write(FILE, b'{"theme": "dark"}')
    with pytest.raises(OutputNotEmpty, match=r"\.meanface\.json is not from meanface"):
        claim(folder, OURS)
    assert folder.read(FILE) == b'{"theme": "dark"}'


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "other"}, "holds the run 'other', not the run 'local'"),
        ({"kind": "series"}, "holds the series 'local', not the run"),
        ({"dataset": "/others"}, "over other photos or settings .*'/others', not '/photos'"),
        ({"recipe": "1" * 64}, "other settings or another version"),
        ({"series": InSeries(name="s", interval="2026-01-02T00:00:00Z")}, "over other photos or settings"),
    ],
)
def test_another_request_is_refused_once_it_has_files(folder: Storage, changed: dict[str, object], words: str) -> None:
    other = OURS.model_copy(update=changed)
    claim(folder, other)
    folder.write("manifest.json", b"{}")
    with pytest.raises(Conflict, match=words):
        claim(folder, OURS)
    assert Marker.parsed(folder.read(FILE), "a marker") == other


def test_a_request_with_only_a_marker_loses_the_folder(folder: Storage) -> None:
    claim(folder, OURS.model_copy(update={"dataset": "/wrong"}))
    claim(folder, OURS)
    assert Marker.parsed(folder.read(FILE), "a marker") == OURS


def test_the_marker_of_a_newer_release_is_not_taken_for_a_foreign_file(folder: Storage) -> None:
    folder.write(FILE, b'{"schema": 2, "kind": "run", "name": "local", "more": 1}')
    with pytest.raises(Conflict, match="another release of meanface"):
        claim(folder, OURS)


def test_a_folder_with_only_system_files_is_empty(folder: Storage) -> None:
    folder.write(".DS_Store", b"mine")
    claim(folder, OURS)
    assert folder.entries() == {FILE, ".DS_Store"}
    assert folder.read(".DS_Store") == b"mine"


def test_an_unfinished_marker_is_not_a_foreign_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Path, "hardlink_to", lambda *_: 1 // 0)
        killed.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(ZeroDivisionError):
            claim(Storage(str(tmp_path)), OURS)
    assert len(list(tmp_path.iterdir())) == 1
    claim(Storage(str(tmp_path)), OURS)
    assert (tmp_path / FILE).is_file()


def _file(path: Path) -> None:
    path.write_text("mine")


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def _link_to_photos(path: Path) -> None:
    (path.parent / "photos/empty").mkdir(parents=True)
    path.symlink_to("photos")


@pytest.mark.parametrize("make", [_file, _link_to_nothing, _link_to_photos])
def test_an_output_that_is_no_folder_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputNotEmpty, match=r"is not a folder|it has 'empty'"):
        claim(Storage(str(tmp_path / "out")), OURS)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_prefix_beside_one_with_the_same_beginning_is_empty() -> None:
    storage = Storage(f"memory://{uuid4().hex}")
    storage.write("out-of-others/mine", b"mine")
    claim(storage.child("out"), OURS)
    assert storage.read("out-of-others/mine") == b"mine"


def test_a_manifest_of_any_release_is_recognised() -> None:
    text = (
        b'{"schema": 1, "run": "r", "recipe": "%(a)b", "fingerprint": "%(a)b", "settings": {"dataset": "/d", "x": 1},'
        b' "partitions": [{}], "gone": 1}' % {b"a": b"a" * 64}
    )
    assert marker.is_manifest(text)
    for other in (b"", b"{}", b"[]", b'{"manifest_version": 3, "name": "an extension"}', text.replace(b"a" * 64, b"a")):
        assert not marker.is_manifest(other)
