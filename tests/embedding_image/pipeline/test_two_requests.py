"""Two requests for one folder, of which one lists photos while the other comes: one has it, the other is refused."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from meanface.dataset.archive.archive import ArchiveDataset
from meanface.dataset.folder import FolderDataset
from meanface.errors import Conflict
from meanface.ledger.manifest import Manifest
from meanface.pipeline import plan
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.storage.marker import Marker


@pytest.fixture(params=["folder", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "out") if request.param == "folder" else f"memory://{uuid4().hex}/out")


@pytest.fixture
def archive(tmp_path: Path, folder: Path) -> Path:
    with tarfile.open(tmp_path / "photos.tar", "w") as packed:
        packed.add(folder / "3.bmp", "3.bmp")
    return tmp_path / "photos.tar"


def planned(output: Storage, dataset: Path, **settings: Any) -> Manifest:
    return plan(Run("local", MemoryState("local"), output), Settings.of(dataset=str(dataset), **settings))


def contents(output: Storage) -> dict[str, bytes]:
    fs, root = output._fs, output._root
    return {path: fs.cat_file(path) for path in fs.find(root)}


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_the_folder_belongs_to_the_request_that_claimed_it_during_the_listing(
    *, output: Storage, folder: Path, archive: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an archive, nothing is unpacked into the other's folder."""
    dataset = FolderDataset if kind == "folder" else ArchiveDataset
    start = "list" if kind == "folder" else "_repack"
    original = getattr(dataset, start)
    left: dict[str, bytes] = {}

    def overtaken(self: Any, *arguments: Any) -> Any:
        if not left:
            left[""] = b""
            planned(output, archive, faces="all")
            left.update(contents(output))
        return original(self, *arguments)

    monkeypatch.setattr(dataset, start, overtaken)
    with pytest.raises(Conflict, match=r"over other photos or settings .*taken while photos were listed"):
        planned(output, folder if kind == "folder" else archive)
    del left[""]
    assert contents(output) == left
    assert Marker.parsed(output.read(".meanface.json"), "a marker").dataset == str(archive)


def test_a_later_request_finds_files_of_the_first_one(
    output: Storage, folder: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second looks before the first writes, and puts its marker into the folder afterwards."""
    original, first = Storage.write, list[Manifest]()

    def meanwhile(self: Storage, path: str, data: bytes) -> None:
        if path == ".meanface.json" and not first:
            first.append(planned(output, folder))
        original(self, path, data)

    with monkeypatch.context() as broken:
        broken.setattr(FolderDataset, "list", lambda _: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            planned(output, folder)
    monkeypatch.setattr(Storage, "write", meanwhile)
    with pytest.raises(Conflict, match="holds a run over other photos or settings"):
        planned(output, archive)
    assert first
    assert planned(output, folder) == first[0]
