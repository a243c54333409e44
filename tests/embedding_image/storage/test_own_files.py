"""Files of fixed names are written over and removed as we left them, and no other way."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest

from meanface.errors import Conflict
from meanface.storage.files import Storage
from meanface.storage.own_files import OwnFiles


@pytest.fixture(params=["folder", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "out") if request.param == "folder" else f"memory://{uuid4().hex}/out")


def test_own_files_are_overwritten_and_removed(folder: Storage) -> None:
    for data in (b"first", b"second", b"first", b""):
        OwnFiles(folder).write("report.html", data)  # each time as another process
        assert folder.read("report.html") == data
        OwnFiles(folder).check(["report.html", "mean.npy"])
    OwnFiles(folder).remove("report.html")
    OwnFiles(folder).remove("report.html")
    assert not folder.exists("report.html")


def test_a_changed_file_is_named_and_stays(folder: Storage) -> None:
    own = OwnFiles(folder)
    for name in ("report.html", "result.json", "mean.npy"):
        own.write(name, b"ours")
    folder.write("report.html", b"edited")
    folder.write("result.json", b"another")
    with pytest.raises(Conflict, match=r"report\.html, result\.json in .* are not as meanface wrote it"):
        own.check(["mean.npy", "report.html", "result.json", "failures.csv"])
    with pytest.raises(Conflict, match=r"report\.html in .* is not as meanface wrote it.* Move it away"):
        own.write("report.html", b"newer")
    own.remove("report.html")
    assert folder.read("report.html") == b"edited"


def _link_to_a_copy(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(b"ours")
    path.symlink_to(copy)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, _link_to_a_copy, lambda path: path.symlink_to("nowhere")])
def test_a_folder_in_the_place_of_a_file_stays(tmp_path: Path, make: Callable[[Path], None]) -> None:
    own, path = OwnFiles(Storage(str(tmp_path))), tmp_path / "report.html"
    own.write("report.html", b"ours")
    path.unlink()
    make(path)
    before = path.lstat()
    with pytest.raises(Conflict, match=r"report\.html"):
        own.write("report.html", b"newer")
    own.remove("report.html")
    assert path.lstat() == before


def test_a_run_can_continue_after_an_interrupted_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the step: the file is the old one or the new one, and the next writer knows both."""
    steps = [(os, "replace"), (os, "link"), (os, "fsync"), (Path, "hardlink_to"), (Path, "replace")]
    own = OwnFiles(Storage(str(tmp_path)))
    own.write("report.html", b"old")
    for number, (where, name) in enumerate(steps):
        for after in (False, True):
            real, data = getattr(where, name), b"new %d %d" % (number, after)

            def dies(*arguments: object, real: Callable[..., object] = real, after: bool = after) -> None:
                if after:
                    real(*arguments)
                raise KeyboardInterrupt

            with monkeypatch.context() as killed:
                killed.setattr(where, name, dies)
                with pytest.raises(KeyboardInterrupt):
                    own.write("report.html", data)
            own.check(["report.html"])
    own.write("report.html", b"last")
    assert (tmp_path / "report.html").read_bytes() == b"last"


def test_an_interrupted_stream_leaves_the_old_file(tmp_path: Path) -> None:
    folder = Storage(str(tmp_path))
    own = OwnFiles(folder)
    own.write("failures.csv", b"old")
    with pytest.raises(ZeroDivisionError), own.open_output("failures.csv") as output:
        output.write(b"%d" % (1 // 0))
    assert folder.read("failures.csv") == b"old"
    own.check(["failures.csv"])


def test_concurrent_writers_recognise_each_others_files(tmp_path: Path) -> None:
    storage, start = Storage(str(tmp_path)), Barrier(8)

    def write(number: int) -> None:
        start.wait()
        for again in range(20):
            OwnFiles(storage).write("result.json", b"%d" % (number * again % 7))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    OwnFiles(storage).write("result.json", b"last")


@pytest.mark.parametrize("question", ["kind", "sha256"])
def test_a_file_removed_by_another_process_is_not_foreign(
    folder: Storage, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    OwnFiles(folder).write("result.json", b"ours")
    real = getattr(Storage, question)

    def removed_in_between(self: Storage, name: str) -> str:
        answer = real(self, name) if question == "kind" else ""
        self.remove(name)
        return answer or real(self, name)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Storage, question, removed_in_between)
        OwnFiles(folder).check(["result.json"])
    assert not folder.exists("result.json")
