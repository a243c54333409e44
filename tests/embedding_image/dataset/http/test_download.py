"""Archives behind HTTP: parallel ranges, broken connections, servers of all kinds."""

from __future__ import annotations

import hashlib
import random
import re
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from meanface.dataset.by_address import LFW_CHECKSUM
from meanface.dataset.http import download
from meanface.errors import ChecksumMismatch, DamagedArchive, DatasetNotFound, StorageUnavailable

DATA = random.Random(1).randbytes(1_000_000)


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch):
    monkeypatch.setattr(download, "RANGE", 100_000)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "download"


@pytest.fixture
def fetch(anywhere):
    return lambda url, target: download.download(url, target, anywhere)


def test_ranges_cover_the_file_once(server, target, fetch):
    server.files["/a"] = DATA
    fetch(f"{server.url}/a", target)
    assert target.read_bytes() == DATA
    assert sorted(server.asked_ranges) == [(0, 0), *((at, at + 99_999) for at in range(0, 1_000_000, 100_000))]


def test_a_broken_connection_is_resumed_where_it_broke(server, target, fetch):
    server.files["/a"] = DATA
    server.breaks = [70_000, 30_000, 0, 99_999]
    fetch(f"{server.url}/a", target)
    assert target.read_bytes() == DATA
    assert sum(first % 100_000 == 70_000 for first, _ in server.asked_ranges) >= 1
    assert sum(last - first + 1 for first, last in server.asked_ranges[1:]) < 1_400_000


def test_without_ranges_a_broken_download_starts_again(server, target, fetch):
    server.files["/a"] = DATA
    server.ranges = False
    server.breaks = [500_000, 700_000]
    fetch(f"{server.url}/a", target)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_that_always_breaks_off_is_given_up(ranges, server, target, fetch):
    server.files["/a"] = DATA
    server.ranges = ranges
    server.breaks = [0] * 100
    with pytest.raises(StorageUnavailable, match=rf"{server.url}/a.*the connection broke \(4 attempts\)"):
        fetch(f"{server.url}/a", target)


def test_a_file_that_changes_while_it_is_downloaded_is_not_mixed(server, target, fetch):
    server.files["/a"] = DATA
    server.headers["ETag"] = '"one"'
    with server.lock:
        original = server.headers

        class Changing(dict):
            def get(self, key, default=None):
                return '"two"' if server.asked["/a"] > 3 else super().get(key, default)

        server.headers = Changing(original)
    with pytest.raises(StorageUnavailable, match="changed while it was downloaded"):
        fetch(f"{server.url}/a", target)


def test_a_busy_server_gets_another_request(server, target, fetch):
    server.files["/a"] = DATA
    server.statuses["/a"] = [503, 429, 200, 500, 502]
    fetch(f"{server.url}/a", target)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_final_answer_is_not_requested_again(status, server, target, fetch):
    server.files["/a"] = DATA
    server.statuses["/a"] = [status]
    with pytest.raises(
        DatasetNotFound, match=rf"{server.url}/a' cannot be downloaded: the server answers HTTP {status}"
    ):
        fetch(f"{server.url}/a", target)
    assert server.asked["/a"] == 1


@pytest.mark.parametrize("statuses", [[429], [200, 503]])
def test_a_pause_that_the_server_asks_for_is_kept(statuses, server, target, fetch, monkeypatch):
    """Before the first answer, and between the ranges."""
    pauses = []

    class Event(threading.Event):
        def wait(self, timeout=None):
            pauses.append(timeout)
            return super().wait(timeout)

    monkeypatch.setattr(download, "threading", SimpleNamespace(Event=Event))
    server.files["/a"] = DATA[:1000]
    server.headers["Retry-After"] = "1"
    server.statuses["/a"] = statuses
    fetch(f"{server.url}/a", target)
    assert target.read_bytes() == DATA[:1000]
    assert sum(pauses) > 0.9


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_final_answer_to_a_range_is_not_requested_again(status, server, target, fetch):
    server.files["/a"] = DATA[:1000]
    server.statuses["/a"] = [200, status]
    with pytest.raises(StorageUnavailable, match=rf"{server.url}/a failed: the server answers HTTP {status}$"):
        fetch(f"{server.url}/a", target)
    assert server.asked["/a"] == 2


def test_a_server_that_is_down_is_unavailable(target, fetch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(StorageUnavailable, match=r"cannot be reached: no connection \(4 attempts\)"):
        fetch(f"http://127.0.0.1:{port}/a", target)


def test_a_full_disk_is_reported(server, tmp_path, fetch):
    server.files["/a"] = DATA
    with pytest.raises(StorageUnavailable, match="No space left on device; set TMPDIR"):
        fetch(f"{server.url}/a", Path("/dev/full"))


def test_credentials_are_sent_but_never_displayed(server, target, listed, tarred, photo):
    server.files["/a.tar"] = tarred(("a.png", photo()))
    secret = server.url.replace("http://", "http://user:se%20cret@")
    found = listed(f"{secret}/a.tar?token=secret")
    assert found.read_all() == {"a.png": photo()}
    assert found.source.url == f"{server.url}/a.tar"
    assert set(server.authorizations) == {"Basic dXNlcjpzZSBjcmV0"}
    with pytest.raises(DatasetNotFound) as missing:
        listed(f"{secret}/b.tar?token=secret")
    assert not re.search("secret|token", str(missing.value))


def test_an_archive_behind_http_becomes_shards(server, listed, tarred, photo, storage):
    archive = tarred(*((f"{n}.png", photo(n)) for n in range(50)), mode="w:gz")
    server.files["/photos.tgz"] = archive
    checksum = f"md5:{hashlib.md5(archive).hexdigest()}"
    found = listed(f"{server.url}/photos.tgz", checksum=checksum)
    assert found.read_all() == {f"{n}.png": photo(n) for n in range(50)}
    assert found.source.checksum == checksum
    with pytest.raises(ChecksumMismatch, match=f"md5:{0:032x} was expected"):
        listed(f"{server.url}/photos.tgz", checksum=f"md5:{0:032x}")


def test_the_server_names_a_file_without_a_suffix(server, listed, tarred, photo):
    server.files["/5976018"] = tarred(("a.png", photo()), mode="w:gz")
    assert listed(f"{server.url}/5976018").source.kind == "archive"
    server.headers["Content-Disposition"] = 'attachment; filename="list.csv"'
    server.files["/5976018"] = f"url\n{server.url}/a.png\n".encode()
    assert listed(f"{server.url}/5976018").source.kind == "urls"


def test_a_web_page_is_no_archive(server, listed):
    server.files["/photos"] = b"<html>" * 1000
    with pytest.raises(DamagedArchive, match=f"'{server.url}/photos' is neither a tar nor a zip archive"):
        listed(f"{server.url}/photos")


def test_lfw_is_an_archive_with_a_known_checksum(server, listed, tarred, photo, monkeypatch):
    server.files["/files/5976018"] = tarred(("lfw/Ada/Ada_0001.jpg", photo()), mode="w:gz")
    monkeypatch.setattr("meanface.dataset.by_address.LFW", f"{server.url}/files/5976018")
    with pytest.raises(ChecksumMismatch, match=f"{LFW_CHECKSUM} was expected"):
        listed("lfw")
    right = f"md5:{hashlib.md5(server.files['/files/5976018']).hexdigest()}"
    assert listed("lfw", checksum=right).names == ["lfw/Ada/Ada_0001.jpg"]
