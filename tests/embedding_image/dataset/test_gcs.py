"""Google Cloud Storage, against fake-gcs-server (see `gcs.py` of the tests)."""

from __future__ import annotations

import gzip
import hashlib
import socket
import sys
from contextlib import suppress

import fsspec
import pytest
from fsspec.registry import _registry as loaded

from gcs import gcs_server, photos_bucket, put
from meanface.dataset import PhotoUnreadable
from meanface.dataset.http.download import BucketFile
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable
from meanface.storage.files import Storage


@pytest.fixture(scope="module")
def google():
    with gcs_server() as running:
        yield running


@pytest.fixture
def bucket(google, monkeypatch):
    with photos_bucket(google, monkeypatch) as fs:
        yield fs


@pytest.mark.long
class TestListing:
    @pytest.mark.parametrize("start", ["gs://photos", "gcs://photos"])
    def test_a_prefix_is_read_as_a_folder(self, bucket, photo, listed, start):
        names = ["a.png", "people/Zoë b.JPG", "people/x/y/z.webp", "50%20.png", "#1.png", "who?.png", "[x]+&=.png"]
        for number, name in enumerate(names):
            put(bucket, f"2026/{name}", photo(number))
        put(bucket, "2026/notes.txt", b"text")
        put(bucket, "2026/empty/", b"")
        put(bucket, "2026-other.png", photo())
        found = listed(f"{start}/2026/")
        assert found.read_all() == {name: photo(number) for number, name in enumerate(names)}
        assert (found.source.kind, found.source.root) == ("folder", f"{start}/2026")
        assert found.passed_over == {"sidecar and text files": 1}
        assert len(listed(start).refs) == 8

    @pytest.mark.parametrize("prefix", ["#1", "who?", "a?generation=2", "a?b=c#3", "[2026]", "100%25 mine"])
    def test_special_characters_of_web_addresses_are_ordinary_in_a_prefix(self, bucket, photo, listed, prefix):
        for number, place in enumerate((prefix, f"{prefix}/sub?#4", "who", "a", "other")):
            put(bucket, f"{place}/{number}.png", photo(number))
        for url in (f"gs://photos/{prefix}", f"gs://photos/{prefix}/"):
            found = listed(url)
            assert found.read_all() == {"0.png": photo(0), "sub?#4/1.png": photo(1)}
            assert found.source.root == f"gs://photos/{prefix}"

    def test_names_that_look_like_paths_to_other_objects_are_refused(self, bucket, photo, listed):
        for name in ("../../other/a.png", "x/../c.png", "good..png", "x//d.png"):
            put(bucket, f"2026/{name}", photo())
        found = listed("gs://photos/2026/")
        assert found.read_all() == {"good..png": photo(), "x//d.png": photo()}
        refusal = "its key has '..' for a folder"
        assert found.refusals == {"../../other/a.png": refusal, "x/../c.png": refusal}

    def test_a_bucket_is_listed_page_by_page(self, bucket, google, photo, listed):
        for number in range(25):
            put(bucket, f"{number:02}.png", photo(number))
        google.page = 10
        google.asked.clear()
        assert listed("gs://photos").names == [f"{number:02}.png" for number in range(25)]
        pages = [asked for asked in google.asked if asked.startswith("GET /storage/v1/b/photos/o?")]
        assert len(pages) == 3
        assert all("fields=items(name,size,generation),nextPageToken" in page for page in pages)

    def test_a_glob_of_photos_lists_what_begins_like_it(self, bucket, google, photo, listed):
        for number, name in enumerate(("2026-03/a.png", "2026-04/b.png", "2026-04/c.jpg", "2025-04/d.png")):
            put(bucket, name, photo(number))
        google.asked.clear()
        assert listed("gs://photos/2026-*/*.png").read_all() == {"2026-03/a.png": photo(0), "2026-04/b.png": photo(1)}
        assert any("prefix=2026-" in asked for asked in google.asked)
        with pytest.raises(SettingsError, match="has a wildcard in the name of its bucket"):
            listed("gs://pho*/a.png")

    def test_one_photo_is_a_dataset(self, bucket, photo, listed):
        put(bucket, "2026/#1.png", photo())
        found = listed("gs://photos/2026/#1.png")
        assert (found.read_all(), found.source.root) == ({"#1.png": photo()}, "gs://photos/2026")
        assert found.refs[0].version.startswith("generation:")


@pytest.mark.long
class TestReading:
    def test_a_photo_that_changes_is_unreadable(self, bucket, photo, listed):
        for name in ("a.png", "b.png", "c.png", "d.png"):
            put(bucket, name, photo())
        before = listed("gs://photos")
        assert all(ref.version.startswith("generation:1") for ref in before.refs)
        put(bucket, "b.png", photo(1))
        bucket.rm_file("photos/c.png")
        put(bucket, "d.png", photo() + b"more")
        after = {ref.name: ref.version for ref in listed("gs://photos").refs}
        same = {ref.name for ref in before.refs if after.get(ref.name) == ref.version}
        assert same == {"a.png"}
        assert before.read("a.png") == photo()
        with pytest.raises(PhotoUnreadable, match="changed since the plan: as many bytes, of another version"):
            before.read("b.png")
        with pytest.raises(PhotoUnreadable, match="gone since the plan"):
            before.read("c.png")
        with pytest.raises(PhotoUnreadable, match=f"changed since the plan: {len(photo())} bytes then"):
            before.read("d.png")

    def test_a_server_that_ignores_the_condition_is_not_believed(self, bucket, google, photo, listed, monkeypatch):
        put(bucket, "a.png", photo())
        before = listed("gs://photos")
        put(bucket, "a.png", photo(1))
        monkeypatch.setitem(
            fsspec.config.conf, "gs", {"endpoint_url": f"http://127.0.0.1:{google.behind}", "token": "anon"}
        )
        with pytest.raises(PhotoUnreadable, match="changed since the plan: as many bytes, of another version"):
            before.read("a.png")

    def test_an_archive_and_shards_are_read(self, bucket, photo, tarred, listed):
        put(bucket, "set/x.tar", tarred(("a.png", photo(1)), ("b.png", photo(2))))
        put(bucket, "set/y.tar", tarred(("c.png", photo(3))))
        assert listed("gs://photos/set/x.tar").read_all() == {"a.png": photo(1), "b.png": photo(2)}
        shards = listed("gs://photos/set/*.tar")
        assert shards.read_all() == {"x.tar/a.png": photo(1), "x.tar/b.png": photo(2), "y.tar/c.png": photo(3)}
        assert shards.source.root == "gs://photos/set"
        put(bucket, "set/y.tar", tarred(("c.png", photo(4))))
        with pytest.raises(PhotoUnreadable, match="its shard changed since the plan"):
            shards.read("y.tar/c.png")

    def test_an_archive_that_changes_while_it_is_downloaded_is_not_mixed(self, bucket, listed, monkeypatch):
        monkeypatch.setattr("meanface.dataset.http.download.RANGE", 500)
        put(bucket, "a.tar", bytes(2000))
        original = BucketFile.stream

        def stream(self, start, end):
            if start == 500:
                put(bucket, "a.tar", bytes([1]) * 2000)
            return original(self, start, end)

        monkeypatch.setattr(BucketFile, "stream", stream)
        with pytest.raises(StorageUnavailable, match=r"gs://photos/a\.tar changed while it was downloaded"):
            listed("gs://photos/a.tar")

    def test_a_list_in_the_bucket_names_photos_in_it(self, bucket, photo, listed):
        put(bucket, "2026/a#1.png", photo())
        put(bucket, "list.csv", b"url\ngs://photos/2026/a#1.png\ngs://photos/2026/b.png\n")
        found = listed("gs://photos/list.csv")
        assert found.read("gs://photos/2026/a#1.png") == photo()
        with pytest.raises(PhotoUnreadable, match="gone since the plan"):
            found.read("gs://photos/2026/b.png")

    def test_objects_that_are_stored_compressed_are_read_as_they_are_stored(self, bucket, photo, listed):
        put(bucket, "2026/a.png", photo())
        rows = b"url\n" + b"gs://photos/2026/a.png\n" * 100
        put(bucket, "list.csv", gzip.compress(rows), encoding="gzip")
        found = listed("gs://photos/list.csv")
        assert (found.names, found.passed_over) == (["gs://photos/2026/a.png"], {"rows that repeat a photo": 99})
        put(bucket, "2026/b.png", gzip.compress(photo()), encoding="gzip")
        assert listed("gs://photos/2026/").read_all() == {"a.png": photo(), "b.png": gzip.compress(photo())}


class TestErrors:
    @pytest.mark.long
    @pytest.mark.usefixtures("bucket")
    def test_a_missing_bucket_or_prefix_is_named(self, listed):
        for dataset in ("gs://none/2026/", "gs://none/x.tar", "gs://none/a.png", "gs://photos/none.csv"):
            with pytest.raises(DatasetNotFound, match=f"'{dataset}' does not exist"):
                listed(dataset)
        assert not listed("gs://photos/none/").refs

    @pytest.mark.long
    @pytest.mark.usefixtures("bucket")
    @pytest.mark.parametrize("bucket_of_others", ["anonymous", "forbidden"])
    def test_a_bucket_that_may_not_be_read_is_no_outage(self, listed, bucket_of_others):
        for name in ("2026/", "x.tar", "list.csv", "a.png", "set/*.tar", "*.parquet"):
            with pytest.raises(DatasetNotFound, match="may not be read with the present credentials"):
                listed(f"gs://{bucket_of_others}/{name}")
        with pytest.raises(StorageUnavailable, match=f"cannot write gs://{bucket_of_others}/runs/a"):
            Storage(f"gs://{bucket_of_others}/runs").write("a", b"data")

    @pytest.mark.long
    @pytest.mark.usefixtures("bucket")
    def test_a_server_that_is_down_is_unavailable(self, listed, monkeypatch):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            away = {"endpoint_url": f"http://127.0.0.1:{unused.getsockname()[1]}", "token": "anon"}
        monkeypatch.setitem(fsspec.config.conf, "gs", away)
        monkeypatch.setattr("gcsfs.retry.asyncio.sleep", _at_once)
        for dataset in ("gs://photos/2026/", "gs://photos/a.tar", "gs://photos/*.tar", "gs://photos/list.csv"):
            with pytest.raises(StorageUnavailable, match="cannot be reached: Connect call failed"):
                listed(dataset)

    def test_an_address_with_a_user_is_refused_without_it(self, listed):
        pytest.importorskip("gcsfs", reason="gcsfs is not installed: pip install 'meanface[gcs]'")
        with pytest.raises(SettingsError, match="has no user") as refused:
            listed("gs://account:secret@photos/2026")
        assert "secret" not in f"{refused.value!r} {refused.value.__cause__!r}"

    @pytest.mark.parametrize("address", ["gs://photos/2026", "gcs://photos/list.csv", "gs://photos/x.tar"])
    def test_without_the_package_the_message_names_the_extra(self, address, listed, monkeypatch):
        monkeypatch.setitem(sys.modules, "gcsfs", None)
        monkeypatch.setitem(sys.modules, "gcsfs.core", None)
        for scheme in ("gs", "gcs"):
            monkeypatch.delitem(loaded, scheme, raising=False)
        with pytest.raises(SettingsError, match=r"pip install 'meanface\[gcs\]'"):
            listed(address)
        with pytest.raises(SettingsError, match=r"pip install 'meanface\[gcs\]'"):
            Storage("gs://photos/runs")


@pytest.mark.long
@pytest.mark.usefixtures("bucket")
class TestStorage:
    def test_a_run_can_have_its_storage_there(self):
        storage = Storage("gs://photos/runs/")
        storage.write("a/b.json", b"first")
        storage.write("a/b.json", b"second")
        storage.write("a/#1?.json", b"")
        assert (storage.read("a/b.json"), storage.read("a/#1?.json")) == (b"second", b"")
        assert (storage.list("a"), storage.exists("a/c")) == (["#1?.json", "b.json"], False)
        assert (storage.read_range("a/b.json", 2, 3), storage.url) == (b"con", "gs://photos/runs")
        assert (storage.create("a/b.json", b"third"), storage.create("a/c", b"new")) == (False, True)
        assert storage.entries() == {"a"}
        for missing in (storage.read, storage.sha256):
            with pytest.raises(FileNotFoundError):
                missing("a/d")
        for name in ("b.json", "c", "#1?.json"):
            storage.remove(f"a/{name}")
        assert storage.list("a") == []

    def test_what_others_write_is_there_at_once(self, bucket):
        storage = Storage("gs://photos/runs")
        storage.write("a/1", b"first")
        assert storage.list("a") == ["1"]
        put(bucket, "runs/a/2", b"second")
        assert (storage.exists("a/2"), storage.read("a/2"), storage.sha256("a/2")) == (True, b"second", _SECOND)
        assert (storage.list("a"), storage.kind("a/2")) == (["1", "2"], "file")

    @pytest.mark.filterwarnings("ignore:Sending a large body")  # gcsfs' own blocks of 5 MiB
    def test_a_large_file_is_written_whole_or_not_at_all(self):
        storage, data = Storage("gs://photos/runs"), bytes(range(256)) * 50_000
        storage.write("large", data)
        assert storage.read("large") == data
        with suppress(ValueError), storage.open_output("half") as output:
            output.write(data)
            raise ValueError
        assert storage.list("") == ["large"]


_SECOND = hashlib.sha256(b"second").hexdigest()


async def _at_once(_: float) -> None:
    """Wait for no time."""
