"""Datasets of the Hugging Face Hub, against a server that speaks its protocol (see `hub.py` of the tests)."""

from __future__ import annotations

import io
import socket
import sys

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.registry import _registry as loaded

from hub import LARGE, TOKEN, Repository, hub
from meanface.dataset import PhotoUnreadable
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable
from meanface.storage.files import Storage


@pytest.fixture(scope="module")
def server():
    with hub() as running:
        yield running


@pytest.fixture
def faces(server, monkeypatch):
    """An empty dataset `ada/faces`, for readers without a token."""
    monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": server.url, "token": False})
    server.repositories.clear()
    server.repositories["ada/faces"] = Repository()
    server.asked.clear()
    server.page, server.failing = 1000, False
    return server.repositories["ada/faces"]


def table(*photos: bytes) -> bytes:
    """A Parquet table as datasets of the Hub have them."""
    image = [{"bytes": data, "path": f"{number}.png"} for number, data in enumerate(photos)]
    output = io.BytesIO()
    pq.write_table(pa.table({"image": image}), output)
    return output.getvalue()


class TestListing:
    def test_a_repository_or_a_folder_of_it_is_read_as_a_folder(self, faces, photo, listed):
        names = ["a.png", "people/Zoë b.JPG", "people/x/y/z.webp", "50%20.png", "#1.png", "who?.png", "[x]@+&=.png"]
        faces.main.update({f"2026/{name}": photo(number) for number, name in enumerate(names)})
        faces.main["2026/large.bmp"] = photo() + bytes(LARGE)
        faces.main.update(
            {"2026/notes.txt": b"text", "2026-other.png": photo(), "README.md": b"text", ".gitattributes": b""}
        )
        expected = {name: photo(number) for number, name in enumerate(names)} | {"large.bmp": photo() + bytes(LARGE)}
        for url in ("hf://datasets/ada/faces/2026", "hf://datasets/ada/faces/2026/"):
            found = listed(url)
            assert found.read_all() == expected
            assert (found.source.kind, found.source.root) == ("folder", "hf://datasets/ada/faces/2026")
            assert found.passed_over == {"sidecar and text files": 1}
        everything = listed("hf://datasets/ada/faces")
        assert "2026/people/Zoë b.JPG" in everything.names
        assert everything.passed_over == {"sidecar and text files": 2, "hidden files": 1}

    def test_a_revision_is_chosen_with_an_at_sign(self, faces, photo, listed):
        faces.main["data/a.png"] = photo(1)
        faces.revisions |= {"v1.0": {"data/a.png": photo(2)}, "refs/convert/parquet": {"data/a.png": photo(3)}}
        for revision, number in (("", 1), ("@main", 1), ("@v1.0", 2), ("@refs/convert/parquet", 3)):
            found = listed(f"hf://datasets/ada/faces{revision}/data")
            assert found.read_all() == {"a.png": photo(number)}
        with pytest.raises(DatasetNotFound, match="there is no '/' at 'v2' in the dataset ada/faces"):
            listed("hf://datasets/ada/faces@v2")

    def test_a_folder_is_listed_page_by_page_and_nothing_is_asked_about_each_file(self, faces, server, photo, listed):
        faces.main.update({f"{number:02}.png": photo(number) for number in range(25)})
        server.page = 10
        assert listed("hf://datasets/ada/faces").names == [f"{number:02}.png" for number in range(25)]
        assert len([asked for asked in server.asked if "/tree/" in asked]) == 3
        assert server.asked[0] == "GET /api/datasets/ada/faces?expand=gated"
        assert len(server.asked) == 4

    def test_a_glob_of_photos(self, faces, photo, listed):
        names = ("2026-03/a.png", "2026-04/b.png", "2026-04/c.jpg", "2025-04/d.png")
        faces.main.update({name: photo(number) for number, name in enumerate(names)})
        found = listed("hf://datasets/ada/faces/2026-*/*.png")
        assert found.read_all() == {"2026-03/a.png": photo(0), "2026-04/b.png": photo(1)}
        for pattern in ("hf://datasets/*/faces/a.png", "hf://datasets/ada/*.png"):
            with pytest.raises(SettingsError, match="has a wildcard in the name of its bucket, repository or server"):
                listed(pattern)

    def test_one_photo_is_a_dataset(self, faces, photo, listed):
        faces.main["people/ada #1.png"] = photo()
        found = listed("hf://datasets/ada/faces/people/ada #1.png")
        assert (found.read_all(), found.source.root) == ({"ada #1.png": photo()}, "hf://datasets/ada/faces/people")

    @pytest.mark.long
    def test_a_glob_of_tables_and_one_table(self, faces, photo, listed):
        for number in range(3):
            faces.main[f"data/train-{number}.parquet"] = table(photo(2 * number), photo(2 * number + 1))
        faces.main["data/test-0.parquet"] = table(photo(9))
        found = listed("hf://datasets/ada/faces/data/train-*.parquet")
        names = [f"train-{number // 2}.parquet/0000000{number % 2}-{number % 2}.png" for number in range(6)]
        assert found.read_all() == {name: photo(number) for number, name in enumerate(names)}
        one = listed("hf://datasets/ada/faces/data/test-0.parquet")
        assert one.read_all() == {"test-0.parquet/00000000-0.png": photo(9)}
        with pytest.raises(DatasetNotFound, match="no file matches; expected Parquet tables"):
            listed("hf://datasets/ada/faces/data/none-*.parquet")
        with pytest.raises(DatasetNotFound, match="does not exist: there is no 'none' in the dataset"):
            listed("hf://datasets/ada/faces/none/*.parquet")

    @pytest.mark.long
    def test_shards_are_read_in_place(self, faces, photo, tarred, listed):
        for number in range(3):
            faces.main[f"set/x-{number}.tar"] = tarred((f"{number}.png", photo(number)))
        expected = {f"x-{number}.tar/{number}.png": photo(number) for number in range(3)}
        for pattern in ("set/x-*.tar", "set/x-{0..2}.tar"):
            found = listed(f"hf://datasets/ada/faces/{pattern}")
            assert found.read_all() == expected
            assert (found.source.kind, found.source.root) == ("shards", "hf://datasets/ada/faces/set")
        faces.main["set/x-1.tar"] = tarred(("1.png", photo(7)))
        with pytest.raises(PhotoUnreadable, match="its shard changed since the plan"):
            found.read("x-1.tar/1.png")
        assert found.read("x-2.tar/2.png") == photo(2)

    @pytest.mark.long
    def test_an_archive_and_a_list_are_read(self, faces, photo, tarred, listed):
        faces.main["x.tar"] = tarred(("a.png", photo(1)))
        faces.main["2026/a#1.png"] = photo(2)
        faces.main["list.csv"] = b"url\nhf://datasets/ada/faces/2026/a#1.png\nhf://datasets/ada/faces/b.png\n"
        assert listed("hf://datasets/ada/faces/x.tar").read_all() == {"a.png": photo(1)}
        found = listed("hf://datasets/ada/faces/list.csv")
        assert found.read("hf://datasets/ada/faces/2026/a#1.png") == photo(2)
        with pytest.raises(PhotoUnreadable, match="gone since the plan"):
            found.read("hf://datasets/ada/faces/b.png")


class TestReading:
    @pytest.mark.parametrize("more", [b"", bytes(LARGE)])
    def test_a_photo_that_changes_is_unreadable(self, faces, photo, listed, more):
        faces.main.update({f"{name}.png": photo() + more for name in "abcd"})
        before = listed("hf://datasets/ada/faces")
        faces.main.update({"b.png": photo(1) + more, "d.png": photo() + more + b"more"})
        del faces.main["c.png"]
        after = {ref.name: ref.version for ref in listed("hf://datasets/ada/faces").refs}
        same = {ref.name for ref in before.refs if ref.version and after.get(ref.name) == ref.version}
        assert same == {"a.png"}
        assert before.read("a.png") == photo() + more
        with pytest.raises(PhotoUnreadable, match="changed since the plan: as many bytes, of another version"):
            before.read("b.png")
        with pytest.raises(PhotoUnreadable, match="gone since the plan"):
            before.read("c.png")
        size = len(photo() + more)
        with pytest.raises(PhotoUnreadable, match=f"changed since the plan: {size} bytes then, {size + 4} now"):
            before.read("d.png")

    def test_an_empty_photo_is_read(self, faces, listed):
        faces.main["a.png"] = b""
        assert listed("hf://datasets/ada/faces").read_all() == {"a.png": b""}


class TestErrors:
    def test_what_is_not_there_is_named(self, faces, photo, listed):
        faces.main.update({"data/a.png": photo(), "photos.7z": b"7z"})
        for dataset in ("none/", "none.tar", "none.csv", "none.png", "data/none.parquet"):
            with pytest.raises(DatasetNotFound, match=f"'hf://datasets/ada/faces/{dataset}' does not exist"):
                listed(f"hf://datasets/ada/faces/{dataset}")
        with pytest.raises(DatasetNotFound, match=r"photos\.7z' is a single file, but its name is not that of a photo"):
            listed("hf://datasets/ada/faces/photos.7z")

    def test_a_private_repository_looks_like_a_missing_one(self, faces, server, photo, listed, monkeypatch):
        server.repositories["ada/private"] = Repository({"main": {"a.png": photo()}}, private=True)
        for name in ("ada/private", "ada/none"):
            with pytest.raises(DatasetNotFound, match=f"there is no dataset {name}, or it is private: set HF_TOKEN"):
                listed(f"hf://datasets/{name}")
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": server.url, "token": TOKEN})
        assert listed("hf://datasets/ada/private").read_all() == {"a.png": photo()}
        assert faces.main == {}

    @pytest.mark.long
    def test_a_gated_repository_is_refused_when_it_is_listed(self, faces, photo, tarred, listed, server, monkeypatch):
        faces.gated = True
        faces.main.update({"a.png": photo(), "x.tar": tarred(("a.png", photo())), "b.parquet": table(photo())})
        for name in ("", "x.tar", "*.tar", "*.png", "*.parquet", "b.parquet"):
            with pytest.raises(DatasetNotFound, match="present credentials: the dataset ada/faces is gated: ask for"):
                listed(f"hf://datasets/ada/faces/{name}")
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": server.url, "token": TOKEN})
        assert listed("hf://datasets/ada/faces").read_all() == {"a.png": photo()}

    @pytest.mark.long
    def test_a_server_that_is_down_is_unavailable(self, listed, monkeypatch):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            away = {"endpoint": f"http://127.0.0.1:{unused.getsockname()[1]}", "token": False}
        monkeypatch.setitem(fsspec.config.conf, "hf", away)
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
        for name in ("", "a.tar", "b.png", "list.csv", "*.png", "*.tar", "data/**/*.tar", "*.parquet"):
            with pytest.raises(StorageUnavailable, match=r"cannot be reached: .*Connection refused"):
                listed(f"hf://datasets/ada/faces/{name}")

    @pytest.mark.long
    def test_a_server_that_fails_is_unavailable(self, faces, server, listed, photo, monkeypatch):
        faces.main["a.png"] = photo()
        found = listed("hf://datasets/ada/faces")
        server.failing = True
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
        for name in ("", "a.tar", "*.tar", "*.parquet"):
            with pytest.raises(StorageUnavailable, match=r"cannot be reached: .*503"):
                listed(f"hf://datasets/ada/faces/{name}")
        with pytest.raises(PhotoUnreadable, match=r"cannot be read: .*503 .*\(4 attempts\)"):
            found.read("a.png")

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("hf://ada", "Repository id must be 'namespace/name'"),
            ("hf://dataset/ada/faces", "Type prefix must be plural"),
            ("hf://datasets/ada/faces//a.png", "must not contain empty segments"),
            ("hf://buckets/ada/faces", "a bucket of the Hub is not supported: give hf://datasets/ORG/NAME/"),
            ("hf://datasets/ada/faces@", "Empty revision"),
        ],
    )
    def test_an_address_that_names_no_repository_is_refused(self, listed, address, why):
        with pytest.raises(SettingsError, match=why):
            listed(address)

    def test_the_hub_is_no_place_for_results(self, faces):
        assert faces.main == {}
        storage = Storage("hf://datasets/ada/faces/runs")
        for write in (storage.write, storage.create):
            with pytest.raises(SettingsError, match="is only read: choose a folder or a bucket for the results"):
                write("a.json", b"data")

    @pytest.mark.parametrize("address", ["hf://datasets/a/b", "hf://datasets/a/b/list.csv", "hf://datasets/a/b/*.tar"])
    def test_without_the_package_the_message_names_the_extra(self, address, listed, monkeypatch):
        monkeypatch.setitem(sys.modules, "meanface.storage.hub_files", None)
        monkeypatch.delitem(loaded, "hf", raising=False)
        with pytest.raises(SettingsError, match=r"pip install 'meanface\[hf\]'"):
            listed(address)
        with pytest.raises(SettingsError, match=r"pip install 'meanface\[hf\]'"):
            Storage("hf://datasets/a/b")
