"""Buckets, against a server that speaks S3."""

from __future__ import annotations

import socket

import fsspec
import pytest

from meanface.dataset import PhotoUnreadable, open_photos
from meanface.dataset.http.download import BucketFile
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable
from meanface.storage.files import Storage


def test_every_photo_under_a_prefix_is_listed_and_read(bucket, photo, listed):
    names = ["a.png", "people/Zoë b.JPG", "people/x/y/z.webp", "#%20?.png"]
    for number, name in enumerate(names):
        bucket.pipe_file(f"photos/2026/{name}", photo(number))
    bucket.pipe_file("photos/2026/notes.txt", b"text")
    bucket.pipe_file("photos/2026-other.png", photo())
    for url in ("s3://photos/2026/", "s3://photos/2026"):
        found = listed(url)
        assert found.read_all() == {name: photo(number) for number, name in enumerate(names)}
        notes = {"sidecar and text files": 1}
        assert (found.source.kind, found.source.root, found.passed_over) == ("folder", "s3://photos/2026", notes)
    assert len(listed("s3://photos").refs) == 5


def test_keys_that_look_like_paths_to_other_objects_are_refused(bucket, photo, listed, storage):
    names = ["../../other/a.png", "./b.png", "x/../c.png", "good..png", "x//d.png"]
    for name in names:
        bucket.call_s3("put_object", Bucket="photos", Key=f"2026/{name}", Body=photo())
    found = listed("s3://photos/2026/")
    assert found.read_all() == {"good..png": photo(), "x//d.png": photo()}
    assert found.refusals == {name: f"its key has '{name[: name.index('/')]}' for a folder" for name in names[:2]} | {
        "x/../c.png": "its key has '..' for a folder"
    }
    with open_photos(found.source, storage) as photos, pytest.raises(PhotoUnreadable, match="its key has"):
        photos.read(found.ref("good..png")._replace(name=names[0]), 1000)
    bucket.pipe_file("photos/list.csv", b"url\ns3://photos/2026/x/../c.png\n")
    assert listed("s3://photos/list.csv").refusals == {"s3://photos/2026/x/../c.png": "its key has '..' for a folder"}


def test_a_prefix_is_listed_page_by_page(bucket, photo, listed, monkeypatch):
    from s3fs import S3FileSystem

    for number in range(25):
        bucket.pipe_file(f"photos/{number}.png", photo(number))
    pages = []
    original = S3FileSystem.call_s3

    def call(self, method, *args, **kwargs):
        page = original(self, method, *args, MaxKeys=10, **kwargs)
        pages.append(page["KeyCount"])
        return page

    monkeypatch.setattr(S3FileSystem, "call_s3", call)
    assert len(listed("s3://photos/").refs) == 25
    assert pages == [10, 10, 5]


def test_a_missing_bucket_is_named_and_an_empty_prefix_lists_nothing(bucket, listed):
    with pytest.raises(DatasetNotFound, match="'s3://nowhere/a/' does not exist"):
        listed("s3://nowhere/a/")
    assert listed("s3://photos/nothing/").refs == []


def test_a_server_that_is_down_is_unavailable(bucket, listed, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    away = {"endpoint_url": f"http://127.0.0.1:{port}", "config_kwargs": {"retries": {"max_attempts": 0}}}
    monkeypatch.setitem(fsspec.config.conf, "s3", away)
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    for dataset in ("s3://photos/2026/", "s3://photos/a.tar", "s3://photos/*.tar", "s3://photos/list.csv"):
        with pytest.raises(StorageUnavailable, match="cannot be reached: Could not connect"):
            listed(dataset)


def test_missing_or_wrong_credentials_are_no_outage(bucket, listed, monkeypatch):
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    bucket.clear_instance_cache()
    for dataset in ("s3://photos/2026/", "s3://photos/a.tar", "s3://photos/*.tar", "s3://photos/list.csv"):
        with pytest.raises(DatasetNotFound, match="may not be read with the present credentials"):
            listed(dataset)


def test_photos_that_change_between_planning_and_embedding_are_unreadable(bucket, photo, listed):
    for name in ("gone", "grown", "shrunk", "emptied", "same"):
        bucket.pipe_file(f"photos/{name}.png", photo())
    bucket.pipe_file("photos/empty.png", b"")
    found = listed("s3://photos")
    size = len(photo())
    bucket.rm("photos/gone.png")
    for name, data in {"grown": photo() + b"more!", "shrunk": photo()[:-5], "emptied": b""}.items():
        bucket.pipe_file(f"photos/{name}.png", data)
    for name, message in {
        "gone": "gone since the plan",
        "grown": f"changed since the plan: {size} bytes then, {size + 5} now",
        "shrunk": f"changed since the plan: {size} bytes then, {size - 5} now",
        "emptied": f"changed since the plan: {size} bytes then, 0 now",
    }.items():
        with pytest.raises(PhotoUnreadable, match=message):
            found.read(f"{name}.png")
    assert found.read("same.png") == photo()
    assert found.read("empty.png") == b""


def test_an_archive_in_a_bucket_becomes_shards_in_a_bucket(bucket, photo, tarred, listed, monkeypatch):
    monkeypatch.setattr("meanface.dataset.http.download.RANGE", 5000)
    bucket.pipe_file("photos/a.tar", tarred(*((f"{n}.png", photo(n)) for n in range(30))))
    found = listed("s3://photos/a.tar", in_storage=Storage("s3://photos/runs/one"))
    assert found.read_all() == {f"{n}.png": photo(n) for n in range(30)}
    assert bucket.exists("photos/runs/one/shards/00000.tar")
    with pytest.raises(DatasetNotFound, match=r"'s3://photos/b\.tar' does not exist"):
        listed("s3://photos/b.tar")


def test_shards_in_a_bucket_are_read_in_place(bucket, photo, tarred, listed):
    for shard in range(12):
        members = ((f"{n}.png", photo(shard * 5 + n)) for n in range(5))
        bucket.pipe_file(f"photos/set/x-{shard:03d}.tar", tarred(*members))
    expected = {f"x-{shard:03d}.tar/{n}.png": photo(shard * 5 + n) for shard in range(12) for n in range(5)}
    for pattern in ("s3://photos/set/x-*.tar", "s3://photos/set/x-{000..011}.tar"):
        found = listed(pattern)
        assert found.read_all() == expected
        assert (found.source.kind, found.source.root) == ("shards", "s3://photos/set")
    assert listed("s3://photos/set/x-{011..012}.tar").refusals == {"x-012.tar": "the shard does not exist"}
    bucket.pipe_file("photos/set/x-000.tar", tarred(("other.png", b"other")))
    with pytest.raises(PhotoUnreadable, match="changed since the plan"):
        found.read("x-000.tar/0.png")
    with pytest.raises(PhotoUnreadable, match=r"changed since the plan|cannot be read"):
        found.read("x-000.tar/4.png")


def test_a_list_in_a_bucket_of_photos_in_a_bucket(bucket, photo, listed):
    bucket.pipe_file("photos/a.png", photo(1))
    bucket.pipe_file("photos/list.csv", b"url\ns3://photos/a.png\ns3://photos/b.png\n")
    found = listed("s3://photos/list.csv")
    assert found.read("s3://photos/a.png") == photo(1)
    with pytest.raises(PhotoUnreadable, match="gone since the plan"):
        found.read("s3://photos/b.png")


@pytest.mark.parametrize("prefix", ["who?", "#1", "a?b=c#d", "[2026]", "100%25 mine"])
def test_special_characters_of_web_addresses_are_ordinary_in_keys(prefix, bucket, photo, listed):
    for number, place in enumerate((prefix, f"{prefix}/sub?#", "who", "a", "other")):
        bucket.pipe_file(f"photos/{place}/{number}.png", photo(number))
    for url in (f"s3://photos/{prefix}", f"s3://photos/{prefix}/"):
        found = listed(url)
        assert found.read_all() == {"0.png": photo(0), "sub?#/1.png": photo(1)}
        assert found.source.root == f"s3://photos/{prefix}"


def test_a_single_object_that_is_no_dataset_is_refused_by_name(bucket, photo, listed):
    bucket.pipe_file("photos/photos.7z", photo())
    with pytest.raises(DatasetNotFound, match=r"'s3://photos/photos\.7z' is a single file, but its name is"):
        listed("s3://photos/photos.7z")
    assert listed("s3://photos/nothing").refs == []


def test_other_remote_folders_are_walked(photo, listed):
    fs = fsspec.filesystem("memory", use_listings_cache=False)
    try:
        for number, name in enumerate(("a.png", "b/c.png", "b/d/e.png", "b/notes.txt")):
            fs.pipe_file(f"/walked/{name}", photo(number))
        found = listed("memory://walked")
        assert found.read_all() == {"a.png": photo(0), "b/c.png": photo(1), "b/d/e.png": photo(2)}
        assert found.passed_over == {"sidecar and text files": 1}
        with pytest.raises(DatasetNotFound, match="'memory://nowhere' does not exist"):
            listed("memory://nowhere")
    finally:
        fs.rm("/walked", recursive=True)


def test_an_archive_that_changes_while_it_is_downloaded_is_not_mixed(bucket, listed, monkeypatch):
    monkeypatch.setattr("meanface.dataset.http.download.RANGE", 500)
    bucket.pipe_file("photos/a.tar", bytes(2000))
    original = BucketFile.stream

    def stream(self, start, end):
        if start == 500:
            bucket.pipe_file("photos/a.tar", bytes([1]) * 2000)
        return original(self, start, end)

    monkeypatch.setattr(BucketFile, "stream", stream)
    with pytest.raises(StorageUnavailable, match=r"s3://photos/a\.tar changed while it was downloaded"):
        listed("s3://photos/a.tar")


def test_an_unknown_scheme_is_a_setting(listed):
    with pytest.raises(SettingsError, match="'nosuch://a/b' cannot be used"):
        listed("nosuch://user:secret@a/b")
    with pytest.raises(SettingsError, match="the dataset is not a valid address: Invalid IPv6 URL"):
        listed("https://user:secret@[broken/a.zip")
    with pytest.raises(SettingsError, match="chained addresses"):
        listed("zip://a.png::s3://photos/a.zip")
