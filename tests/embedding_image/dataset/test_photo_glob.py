"""Globs of photos, in folders and in buckets."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path

import fsspec
import pytest

from meanface.dataset import PhotoUnreadable, open_photos
from meanface.dataset.photo_pattern import PhotoPattern
from meanface.errors import DatasetNotFound, SettingsError
from meanface.storage.files import Storage
from meanface.storage.marker import Marker, claim

TREE = [
    *("a.jpg", "B.JPG", "c.png", ".hidden.jpg", "2026-03/x.jpg", "2026-03/ada/front.jpg", "2026-04/bob/front.jpg"),
    *("2025-01/x.jpg", "2026-04/@eaDir/x.jpg", "2026-04/notes.txt", "[2026]/y.jpg", "2026-04/ada?/x.jpg"),
]


@pytest.fixture
def tree(tmp_path, photo) -> Path:
    folder = tmp_path / "photos"
    for number, name in enumerate(TREE):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(number))
    return folder


@pytest.mark.parametrize(
    ("pattern", "root", "names"),
    [
        ("*.jpg", "", ["B.JPG", "a.jpg"]),
        ("*.JPG", "", ["B.JPG", "a.jpg"]),
        ("2026-*/*.jpg", "", ["2026-03/x.jpg"]),
        ("2026-{03..09}/*/front.jpg", "", ["2026-03/ada/front.jpg", "2026-04/bob/front.jpg"]),
        ("2026-04/*/front.jpg", "/2026-04", ["bob/front.jpg"]),
        ("./2026-04/../2026-04//b?b/front.jpg", "/2026-04", ["bob/front.jpg"]),
        ("2026-0[3]/**/*.jpg", "", ["2026-03/ada/front.jpg", "2026-03/x.jpg"]),
        ("2026-0[!3]/**/*.jpg", "", ["2026-04/ada?/x.jpg", "2026-04/bob/front.jpg"]),
        ("[2026]/*.jpg", "/[2026]", ["y.jpg"]),
        ("[[]2026]/*.jpg", "", ["[2026]/y.jpg"]),
    ],
)
def test_the_photos_that_match_are_listed_and_read(pattern, root, names, tree, photo, listed):
    for dataset in (f"{tree}/{pattern}", f"{os.path.relpath(tree)}/{pattern}", f"file://{tree}/{pattern}"):
        found = listed(dataset)
        assert found.names == names
        assert (found.source.kind, found.source.root) == ("folder", f"{tree}{root}")
        read = {f"{root}/{name}".lstrip("/"): data for name, data in found.read_all().items()}
        assert read == {name: photo(TREE.index(name)) for name in read}


@pytest.mark.parametrize("pattern", ["**/*.jpg", "*/*.jpg", "2026-0?/**/*.png", "*.*.jpg", "**/{0..9}.JPG"])
def test_the_photos_are_those_of_the_folder_whose_names_match(pattern, tree, listed):
    (tree / "2026-03" / "out.jpg").symlink_to("/etc/hostname")
    (tree / "2026-03" / "gone.jpg").symlink_to("nowhere")
    (tree / "2026-03" / "7.jpg").symlink_to("x.jpg")
    (tree / "linked").symlink_to("2025-01")
    os.mkfifo(tree / "pipe.2.jpg")
    claim(Storage(f"{tree}/results"), Marker(kind="run", name="run", dataset=str(tree), recipe="0" * 64))
    (tree / "results" / "mean_face.jpg").write_bytes(b"no photo of the dataset")
    matches = PhotoPattern(pattern).matches
    expected = [ref for ref in listed(tree).refs if matches(ref.name)]
    if not expected:
        with pytest.raises(DatasetNotFound, match=f"{re.escape(pattern)}': no file matches; expected photos"):
            listed(f"{tree}/{pattern}")
        return
    assert sorted(listed(f"{tree}/{pattern}").refs) == sorted(expected)


def test_files_that_match_and_are_passed_over_are_in_the_account(tree, listed):
    assert listed(f"{tree}/*.jpg").passed_over == {"hidden files": 1}
    assert listed(f"{tree}/*/*/*.jpg").passed_over == {"files in a folder of previews": 1}


def test_links_are_followed_if_the_setting_says_so(tree, photo, listed, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "z.jpg").write_bytes(photo(99))
    (tree / "2026-07").symlink_to(tmp_path / "other")
    (tree / "2026-03" / "out.jpg").symlink_to(tmp_path / "other" / "z.jpg")
    found = listed(f"{tree}/2026-*/*.jpg", follow_links=True)
    assert found.names == ["2026-03/out.jpg", "2026-03/x.jpg", "2026-07/z.jpg"]
    with open_photos(found.source, found.storage, follow_links=True) as photos:
        assert photos.read(found.ref("2026-07/z.jpg"), 1000) == photo(99)
    with open_photos(found.source, found.storage) as photos, pytest.raises(PhotoUnreadable, match="leads out"):
        photos.read(found.ref("2026-03/out.jpg"), 1000)
    strict = listed(f"{tree}/2026-*/*.jpg")
    assert strict.passed_over == {"linked folders": 1}
    assert "leads out of the dataset" in strict.refusals["2026-03/out.jpg"]


def test_a_folder_that_cannot_hold_a_match_is_not_opened(tree, listed, monkeypatch):
    opened, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (opened.append(path), scandir(path))[1])
    assert listed(f"{tree}/2026-*/x.jpg").names == ["2026-03/x.jpg"]
    assert sorted(opened) == [str(tree), f"{tree}/2026-03", f"{tree}/2026-04"]


def test_what_does_not_exist_is_named(tree, listed):
    with pytest.raises(DatasetNotFound, match=r"/none-\*\.jpg': no file matches; expected photos"):
        listed(f"{tree}/none-*.jpg")
    with pytest.raises(DatasetNotFound, match=r"/nowhere/\*\.jpg' cannot be listed: No such file"):
        listed(f"{tree}/nowhere/*.jpg")


def test_settings_that_do_not_fit_are_refused(tree, listed):
    for settings, message in (
        ({"checksum": f"md5:{0:032x}"}, "is for a single archive"),
        ({"url_column": "url"}, "is for a list of photos"),
        ({"labels": "column"}, "has no columns that labels could come from"),
    ):
        with pytest.raises(SettingsError, match=message):
            listed(f"{tree}/*.jpg", **settings)


def test_an_encoded_file_address(tmp_path, photo, listed):
    (tmp_path / "my photos").mkdir()
    (tmp_path / "my photos" / "a.jpg").write_bytes(photo())
    assert listed(f"file://{tmp_path}/my%20photos/*.jpg").names == ["a.jpg"]


def test_memory_does_not_grow_with_files_that_do_not_match(tmp_path, listed):
    def peak(files: int) -> int:
        folder = tmp_path / str(files)
        folder.mkdir()
        (folder / "one.jpg").touch()
        for number in range(files):
            (folder / f"{'long' * 40}{number}.png").touch()
        tracemalloc.start()
        try:
            assert listed(f"{folder}/*.jpg").names == ["one.jpg"]
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    few = peak(100)
    assert peak(5000) < few + 200_000  # their names alone have 900 kB


def test_photos_of_a_bucket_that_match_are_listed_and_read(bucket, photo, listed):
    names = [*TREE, "2026-05//x.jpg", "2026-05/../x.jpg"]
    for number, name in enumerate(names):
        bucket.call_s3("put_object", Bucket="photos", Key=f"set/{name}", Body=photo(number))
    for pattern, expected, root in (
        ("set/2026-*/x.jpg", ["2026-03/x.jpg"], "s3://photos/set"),
        ("set/2026-0*/*/front.JPG", ["2026-03/ada/front.jpg", "2026-04/bob/front.jpg"], "s3://photos/set"),
        ("set/*.jpg", ["B.JPG", "a.jpg"], "s3://photos/set"),
        ("set/2026-04/*/front.jpg", ["bob/front.jpg"], "s3://photos/set/2026-04"),
        ("set/*/ada?/x.jpg", ["2026-04/ada?/x.jpg"], "s3://photos/set"),
        ("set/[2026]/*.jpg", ["y.jpg"], "s3://photos/set/[2026]"),
        ("*/{2024..2026}-01/x.jpg", ["set/2025-01/x.jpg"], "s3://photos"),
    ):
        found = listed(f"s3://photos/{pattern}")
        assert (found.names, found.source.kind, found.source.root) == (expected, "folder", root)
        below = root.removeprefix("s3://photos/set").removeprefix("s3://photos").strip("/")
        for name, data in found.read_all().items():
            whole = f"{below}/{name}".strip("/").removeprefix("set/")
            assert data == photo(names.index(whole))
    assert listed("s3://photos/set/2026-05/**/x.jpg").refusals == {"../x.jpg": "its key has '..' for a folder"}
    with pytest.raises(DatasetNotFound, match=r"'s3://photos/set/\*\.gif': no key matches; expected photos"):
        listed("s3://photos/set/*.gif")
    with pytest.raises(SettingsError, match=r"'s3://\*/a\.jpg' has a wildcard in the name of its bucket"):
        listed("s3://key:secret@*/a.jpg")


def test_only_keys_that_begin_as_the_pattern_are_asked_for(bucket, photo, listed, monkeypatch):
    from s3fs import S3FileSystem

    for name in ("2025-01/x.jpg", "2026-01/x.jpg", "2026-02/x.jpg"):
        bucket.pipe_file(f"photos/set/{name}", photo())
    prefixes = []
    original = S3FileSystem.call_s3

    def call(self, method, *args, **kwargs):
        prefixes.append(kwargs["Prefix"])
        return original(self, method, *args, **kwargs)

    monkeypatch.setattr(S3FileSystem, "call_s3", call)
    assert listed("s3://photos/set/2026-*/x.jpg").names == ["2026-01/x.jpg", "2026-02/x.jpg"]
    assert prefixes == ["set/2026-"]


def test_results_in_a_bucket_are_passed_over(bucket, photo, listed):
    for folder in ("set", "set/2026-03"):
        claim(Storage(f"s3://photos/{folder}"), Marker(kind="run", name="r", dataset="x", recipe="0" * 64))
        bucket.pipe_file("photos/set/2026-03/x.jpg", photo())
        assert listed("s3://photos/set/2026-*/x.jpg").passed_over == {"results of meanface": 1}
        bucket.rm("photos/set", recursive=True)


def test_other_remote_folders_are_walked_where_a_match_may_be(photo, listed, monkeypatch):
    fs = fsspec.filesystem("memory", use_listings_cache=False)
    try:
        for number, name in enumerate(("2026/a.png", "2026/b/c.png", "2025/d.png")):
            fs.pipe_file(f"/walked/{name}", photo(number))
        opened = []
        original = type(fs).ls

        def ls(self, path, **options):
            opened.append(path)
            return original(self, path, **options)

        monkeypatch.setattr(type(fs), "ls", ls)
        assert listed("memory://walked/202[6-9]/*.png").read_all() == {"2026/a.png": photo(0)}
        assert opened == ["/walked", "/walked/2026"]
    finally:
        fs.rm("/walked", recursive=True)
