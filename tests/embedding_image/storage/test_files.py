"""Files exist completely or not at all, in a folder and in a bucket."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from meanface.errors import SettingsError, StorageUnavailable
from meanface.storage.files import Storage, without_credentials


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket on a real server that speaks S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setitem(fsspec.config.conf, "s3", {"endpoint_url": f"http://{host}:{port}"})
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        fsspec.filesystem("s3").mkdir("results")
        yield "s3://results/meanface"
        fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Storage(str(tmp_path / "storage"))
    bucket = request.getfixturevalue("bucket")
    return Storage(f"{bucket}/{request.node.name.replace('[', '/').replace(']', '')}")


def test_a_file_comes_back(storage: Storage) -> None:
    storage.write("a/b.bin", b"first")
    storage.write("a/b.bin", b"0123456789")
    assert storage.read("a/b.bin") == b"0123456789"
    assert storage.read_range("a/b.bin", 3, 4) == b"3456"
    assert storage.read_range("a/b.bin", 8, 10) == b"89"
    assert storage.exists("a/b.bin")
    assert storage.child("a").read("b.bin") == b"0123456789"


def test_listing_shows_files_of_the_folder(storage: Storage) -> None:
    for name in ("b", "a", "c"):
        storage.write(f"folder/{name}", b"x")
    assert storage.list("folder") == ["a", "b", "c"]
    assert storage.list("nothing") == []


def test_one_file_is_removed_and_nothing_else(storage: Storage) -> None:
    for name in ("a/b/c", "a/d", "ab", "e"):
        storage.write(name, b"x")
    for path in ("a/d", "e", "nothing", "no/thing"):
        storage.remove(path)
    assert storage.entries() == {"a", "ab"}
    assert storage.exists("a/b/c")


def test_a_folder_is_removed_when_it_is_empty(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write("a/b/c", b"x")
    (tmp_path / "link").symlink_to("a")
    for path in ("a", "a/b", "link", "nothing"):
        storage.remove_empty_folder(path)
    assert storage.exists("a/b/c")
    storage.remove("a/b/c")
    for path in ("a/b", "a"):
        storage.remove_empty_folder(path)
    assert storage.entries() == {"link"}


def test_entries_are_all_names_in_the_folder(storage: Storage) -> None:
    assert storage.entries() == set()
    for name in (".hidden", "a/b", "file"):
        storage.write(name, b"x")
    assert storage.entries() == {".hidden", "a", "file"}
    assert (storage.kind("file"), storage.kind("nothing")) == ("file", "")
    assert storage.sha256("file") == hashlib.sha256(b"x").hexdigest()


def test_a_missing_file_is_not_found(storage: Storage) -> None:
    assert not storage.exists("nothing")
    with pytest.raises(FileNotFoundError):
        storage.read("nothing")


def test_an_interrupted_write_leaves_the_old_file(storage: Storage) -> None:
    storage.write("file", b"old")
    for name in ("file", "other"):
        with pytest.raises(ZeroDivisionError), storage.open_output(name) as output:
            output.write(b"%d" % (1 // 0))
    assert storage.read("file") == b"old"
    assert storage.list("") == ["file"]


def test_no_half_written_file_is_left_beside_the_others(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with pytest.raises(ZeroDivisionError), storage.open_output("file") as output:
        output.write(b"%d" % (1 // 0))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """What is synced."""
    found, sync = set(), os.fsync

    def syncing(file: int) -> None:
        found.add(Path(f"/proc/self/fd/{file}").readlink())
        sync(file)

    monkeypatch.setattr(os, "fsync", syncing)
    return found


def test_new_folders_are_synced_into_those_above(tmp_path: Path, synced: set[Path]) -> None:
    Storage(str(tmp_path / "storage")).write("a/b/file", b"x")
    assert {tmp_path / folder for folder in (".", "storage", "storage/a", "storage/a/b")} <= synced


def test_names_of_a_killed_attempt_are_synced(tmp_path: Path, synced: set[Path]) -> None:
    (tmp_path / "storage/a/b").mkdir(parents=True)
    Storage(str(tmp_path / "storage")).child("a").sync("b")
    assert {tmp_path / folder for folder in (".", "storage", "storage/a", "storage/a/b")} <= synced


def test_a_file_that_is_there_already_is_synced_too(tmp_path: Path, synced: set[Path]) -> None:
    """A killed attempt has written it, perhaps without a sync; what follows relies on it."""
    (tmp_path / "records").mkdir()
    (tmp_path / "records/one").touch()
    assert not Storage(str(tmp_path)).create("records/one", b"")
    assert tmp_path / "records" in synced


def test_a_bucket_has_nothing_to_sync(bucket: str, synced: set[Path]) -> None:
    Storage(bucket).sync("a/b")
    assert not synced


def test_a_full_device_is_named() -> None:
    with pytest.raises(StorageUnavailable, match=r"cannot write .*/full"):
        Storage("/proc").write("full", b"x")


def test_a_bucket_that_is_unavailable_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    away = {"endpoint_url": "http://127.0.0.1:1", "config_kwargs": {"retries": {"max_attempts": 0}}}
    monkeypatch.setitem(fsspec.config.conf, "s3", away)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    storage = Storage(bucket)
    for use in (
        lambda: storage.read("x"),
        lambda: storage.list("x"),
        lambda: storage.write("x", b""),
        lambda: storage.exists("x"),
        lambda: storage.kind("x"),
        lambda: storage.create("x", b""),
    ):
        with pytest.raises(StorageUnavailable, match=f"{bucket}/x"):
            use()
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    names = [f".mean.npy.{'0' * 32}", f".mean.npy.{'0' * 31}", f".other.{'0' * 32}", "mean.npy", ".mean.npy"]
    for name in names:
        (tmp_path / name).touch()
    Storage(str(tmp_path)).remove_unfinished("", re.compile(r"mean\.npy"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(SettingsError, match="storage 'nowhere://x' cannot be used"):
        Storage("nowhere://user:secret@x")


def test_an_address_without_a_part_that_its_scheme_needs_is_refused() -> None:
    class OnHost(fsspec.AbstractFileSystem):
        def __init__(self, host: str) -> None:
            super().__init__(host=host)

    fsspec.register_implementation("onhost", OnHost, clobber=True)
    with pytest.raises(SettingsError, match=r"storage 'onhost:///x' cannot be used: .*'host'"):
        Storage("onhost:///x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host:8080/a/b.tgz?token=secret#x", "https://host:8080/a/b.tgz"),
        ("s3://bucket/prefix/", "s3://bucket/prefix/"),
        ("/data/a@b?c", "/data/a@b?c"),
        ("ht_tps://user:secret@host/a", "ht_tps://host/a"),
        ("file:///data/a@b", "file:///data/a@b"),
        ("a/b://c", "a/b://c"),
    ],
)
def test_credentials_are_not_printed(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_of_concurrent_creations_one_succeeds(tmp_path: Path) -> None:
    storage, start = Storage(str(tmp_path)), Barrier(8)

    def create(number: int) -> bool:
        start.wait()
        return storage.create("a/b", b"%d" % number)

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(create, range(8)))
    assert made.count(True) == 1
    assert storage.read("a/b") == b"%d" % made.index(True)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_a_file_is_created_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    assert Storage(str(tmp_path)).create("b", b"1")
    assert (tmp_path / "b").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["a::b", "memory::c", "d#1", "e?", "f%20g", "[h]", "i*", "{1..3}", "~", " j "])
@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_a_folder_has_the_name_that_it_is_given(name: str, scheme: str, tmp_path: Path) -> None:
    Storage(f"{scheme}{tmp_path}/{name}/run").write("a/b", b"x")
    assert [file.relative_to(tmp_path) for file in tmp_path.rglob("b")] == [Path(f"{name}/run/a/b")]


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_system_that_cannot_sync_folders_is_written_to(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SMB shares answer; an error of the device is one."""
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(error, os.strerror(error))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    storage = Storage(str(tmp_path / "share"))
    if error == errno.EIO:
        with pytest.raises(StorageUnavailable, match="Input/output error"):
            storage.write("a/b", b"x")
    else:
        storage.write("a/b", b"x")
        storage.sync("a")
        assert storage.read("a/b") == b"x"
