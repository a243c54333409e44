"""Azure Blob Storage, against Azurite, Microsoft's own emulator (npm: azurite)."""

from __future__ import annotations

import sys

import fsspec
import pytest
from fsspec.registry import _registry as loaded

from azurite import ACCOUNT, KEY, azurite, photos_container, put
from meanface.dataset import PhotoUnreadable
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable
from meanface.storage import azure
from meanface.storage.files import Storage


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with azurite(tmp_path_factory.mktemp("azurite")) as connection:
        yield connection


@pytest.fixture
def container(connection, monkeypatch):
    with photos_container(connection, monkeypatch) as fs:
        yield fs


@pytest.mark.long
class TestAzure:
    @pytest.mark.parametrize(
        "start", ["az://photos", "abfs://photos", f"abfss://photos@{ACCOUNT}.dfs.core.windows.net"]
    )
    def test_a_prefix_is_read_as_a_folder(self, container, photo, listed, start):
        names = ["a.png", "people/Zoë b.JPG", "people/x/y/z.webp", "50%20.png"]
        for number, name in enumerate(names):
            put(container, f"2026/{name}", photo(number))
        put(container, "2026/notes.txt", b"text")
        put(container, "2026/empty/", b"")
        put(container, "2026-other.png", photo())
        found = listed(f"{start}/2026/")
        assert found.read_all() == {name: photo(number) for number, name in enumerate(names)}
        assert (found.source.kind, found.source.root) == ("folder", f"{start}/2026")
        assert found.passed_over == {"sidecar and text files": 1}

    def test_a_photo_that_changes_is_unreadable(self, container, photo, listed):
        for name in ("a.png", "b.png", "c.png"):
            put(container, name, photo())
        before = listed("az://photos")
        assert all(ref.version.startswith("etag:0x") for ref in before.refs)
        put(container, "b.png", photo(1))
        container.rm("photos/c.png")
        after = {ref.name: ref.version for ref in listed("az://photos").refs}
        same = {ref.name for ref in before.refs if after.get(ref.name) == ref.version}
        assert same == {"a.png"}
        assert before.read("a.png") == photo()
        with pytest.raises(PhotoUnreadable, match="changed since the plan: as many bytes, of another version"):
            before.read("b.png")
        with pytest.raises(PhotoUnreadable, match="gone since the plan"):
            before.read("c.png")

    def test_an_archive_and_shards_are_read(self, container, photo, tarred, listed):
        put(container, "set/x.tar", tarred(("a.png", photo(1)), ("b.png", photo(2))))
        put(container, "set/y.tar", tarred(("c.png", photo(3))))
        assert listed("az://photos/set/x.tar").read_all() == {"a.png": photo(1), "b.png": photo(2)}
        shards = listed("az://photos/set/*.tar")
        assert shards.read_all() == {"x.tar/a.png": photo(1), "x.tar/b.png": photo(2), "y.tar/c.png": photo(3)}
        put(container, "set/y.tar", tarred(("c.png", photo(4))))
        with pytest.raises(PhotoUnreadable, match="its shard changed since the plan"):
            shards.read("y.tar/c.png")

    def test_a_list_in_the_container_names_photos_in_it(self, container, photo, listed):
        put(container, "2026/a.png", photo())
        put(container, "list.csv", b"url\naz://photos/2026/a.png\n")
        assert listed("az://photos/list.csv").read_all() == {"az://photos/2026/a.png": photo()}

    @pytest.mark.usefixtures("container")
    def test_a_missing_container_or_prefix_is_named(self, listed):
        with pytest.raises(DatasetNotFound, match="'az://none/2026' does not exist"):
            listed("az://none/2026")
        assert not listed("az://photos/none/").refs

    def test_a_container_is_listed_page_by_page(self, container, photo, listed, monkeypatch):
        from azure.storage.blob.aio import ContainerClient

        original, pages = ContainerClient.list_blobs, []
        next_page = azure._page

        def list_blobs(self, **kwargs):
            return original(self, **kwargs, results_per_page=10)

        async def page(of):
            found = await next_page(of)
            pages.append(found and len(found))
            return found

        for number in range(25):
            put(container, f"{number:02}.png", photo(number))
        monkeypatch.setattr(ContainerClient, "list_blobs", list_blobs)
        monkeypatch.setattr(azure, "_page", page)
        assert len(listed("az://photos").refs) == 25
        assert pages == [10, 10, 5, None]

    @pytest.mark.usefixtures("container")
    def test_a_run_can_have_its_storage_there(self):
        storage = Storage("az://photos/runs")
        storage.write("a/b.json", b"first")
        storage.write("a/b.json", b"second")
        assert (storage.read("a/b.json"), storage.list("a"), storage.exists("a/c")) == (b"second", ["b.json"], False)
        with pytest.raises(FileNotFoundError):
            storage.read("a/c")
        storage.remove("a/b.json")
        assert storage.list("a") == []

    def test_credentials_in_the_address_are_not_recorded(self, container, photo, listed):
        put(container, "2026/a.png", photo())
        with pytest.raises(DatasetNotFound) as refused:
            listed("az://account:secret@photos/2026")
        assert "secret" not in f"{refused.value!r} {refused.value.__cause__!r}"
        found = listed("az://photos/2026?sv=2026&sig=secret")
        assert (found.refs, "secret" in repr(found.source)) == ([], False)

    @pytest.mark.usefixtures("container")
    @pytest.mark.parametrize("other", ["b3RoZXI=", "signature"])
    def test_wrong_credentials_are_no_outage(self, connection, listed, monkeypatch, other):
        wrong = connection.replace(f"AccountKey={KEY}", f"AccountKey={other}")
        if other == "signature":
            wrong = connection.replace(f"AccountKey={KEY}", "SharedAccessSignature=sv=2026-02-06&sig=b3RoZXI%3D&sp=rl")
        for scheme in ("az", "abfs", "abfss"):
            monkeypatch.setitem(fsspec.config.conf, scheme, {"connection_string": wrong})
        for name in ("2026/", "x.tar", "list.csv", "a.png", "set/*.tar", "*.parquet"):
            with pytest.raises(DatasetNotFound, match=r"may not be read with the present credentials$"):
                listed(f"az://photos/{name}")
        with pytest.raises(StorageUnavailable, match="cannot write az://photos/runs/a"):
            Storage("az://photos/runs").write("a", b"data")

    def test_credentials_that_become_invalid_refuse_the_photos(self, container, connection, photo, listed, monkeypatch):
        put(container, "a.png", photo())
        before = listed("az://photos")
        wrong = connection.replace(f"AccountKey={KEY}", "AccountKey=b3RoZXI=")
        for scheme in ("az", "abfs", "abfss"):
            monkeypatch.setitem(fsspec.config.conf, scheme, {"connection_string": wrong})
        with pytest.raises(PhotoUnreadable, match=r"cannot be read: .*failed to authenticate"):
            before.read("a.png")


@pytest.mark.parametrize("address", ["az://photos/2026", "abfs://photos/list.csv", "abfss://photos/x.tar"])
def test_without_the_package_the_message_names_the_extra(address, listed, monkeypatch):
    monkeypatch.setitem(sys.modules, "adlfs", None)
    for scheme in ("az", "abfs", "abfss"):
        monkeypatch.delitem(loaded, scheme, raising=False)
    with pytest.raises(SettingsError, match=r"pip install 'meanface\[azure\]'"):
        listed(address)
    with pytest.raises(SettingsError, match=r"pip install 'meanface\[azure\]'"):
        Storage("az://photos/runs")
