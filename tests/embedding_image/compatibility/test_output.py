"""docs/compatibility.md, The output folder: which files are written, and which never are."""

from __future__ import annotations

import errno
import os
import resource
import stat
from pathlib import Path

import pytest

from compatibility import Place, Recipes
from meanface.errors import StorageUnavailable

recipe = Recipes("The output folder")


def test_output(what: str, place: Place, unprivileged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    place.monkeypatch = monkeypatch
    recipe.check(what, place)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refused(place: Place, output: str, message: str) -> str:
    """That nothing is written or removed."""
    place.write("photos/a.jpg")
    before = tree(place.path)
    answer = place.refusal("photos", message, output=output)
    assert tree(place.path) == before
    return answer


@recipe("the photo folder itself, or a link to it")
def the_photos(place: Place) -> str:
    (place.path / "link").symlink_to("photos")
    assert refused(place, "photos", "is not empty") == refused(place, "link", "is not empty")
    return refused(place, "photos", "holds no result of meanface: name a new or empty folder")


@recipe("a folder above the photos")
def above(place: Place) -> str:
    return refused(place, ".", "is not empty")


@recipe("one of several datasets")
def one_of_several(place: Place) -> str:
    for name in ("anna", "bob"):
        place.write(f"{name}/1.jpg")
    before = tree(place.path)
    answers = {place.refusal(f"anna\n{place.path}/bob", "is not empty", output=output) for output in ("anna", "bob")}
    assert tree(place.path) == before
    return answers.pop() if len(answers) == 1 else str(answers)


@recipe("a folder with files of others, named as ours are")
def others(place: Place) -> str:
    for name in ("result.json", "report.html", "mean.npy", "chips/wafer.tif", "ledger/2026.parquet", "manifest.json"):
        place.write(f"thesis/{name}", b"mine")
    return refused(place, "thesis", "is not empty")


@recipe("a file")
def file(place: Place) -> str:
    place.write("results", b"mine")
    return refused(place, "results", "is not a folder")


@recipe("a folder inside the photos")
def inside(place: Place) -> str:
    place.write("photos/a.jpg")
    for _ in range(2):
        found = place.run("photos", "photos/results", whole=True)
        assert (place.path / "photos/results/mean_face.png").is_file()
        assert list(found.photos) == ["a.jpg"]
        assert found.happened("a.jpg") == "read"
    return "written"


@recipe("results whose `report.html` is yours, edited or put there")
def edited(place: Place) -> str:
    place.write("photos/a.jpg")
    place.run()
    place.write("results/report.html", b"my notes")
    before = tree(place.path)
    answer = place.refusal("photos", "report.html in .* is not as meanface wrote it.* Move it away")
    assert tree(place.path) == before
    return answer


@recipe("results among which you put files, when it runs again")
def among(place: Place) -> str:
    place.write("photos/a.jpg")
    place.run()
    for name in ("chips/wafer.tif", "manifest/mine/00000.parquet", "shards/mine.tar", "notes.txt"):
        place.write(f"results/{name}", b"mine")
    place.run(face_pixels=False)
    for name in ("chips/wafer.tif", "manifest/mine/00000.parquet", "shards/mine.tar", "notes.txt"):
        assert (place.path / "results" / name).read_bytes() == b"mine", name
    return "written"


@recipe("a name with spaces, `#`, `?`, `%`, `*` or `::`")
def names(place: Place) -> str:
    place.write("photos/a.jpg")
    for name in ("a b ", "no #1", "what?", "a%20b", "a*b", "a::b"):
        place.run("photos", name)
        assert (place.path / name / "manifest.json").is_file(), name
    return "written"


@recipe("a disk that is full, and has room again")
def full(place: Place) -> str:
    place.write("photos/a.jpg")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # of each file that this process writes
    try:
        with pytest.raises(StorageUnavailable, match=r"cannot write .*ledger.*File too large") as stopped:
            place.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [file for file in tree(place.path / "results") if Path(file).name.startswith(".") and "json" not in file]
    assert place.run().happened("a.jpg") == "read"
    return f"stops, exit code {stopped.value.exit_code}; goes on"


@recipe("a folder without permission to write")
def read_only(place: Place) -> str:
    place.write("photos/a.jpg")
    (place.path / "results").mkdir(mode=0o555)
    return place.refusal("photos", "cannot write .*Permission denied")


@recipe("an SMB share, which cannot sync folders")
def share(place: Place) -> str:
    place.write("photos/a.jpg")
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    place.monkeypatch.setattr(os, "fsync", fsync)
    place.run()
    return "written"
