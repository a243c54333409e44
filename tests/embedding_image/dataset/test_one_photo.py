"""Datasets of one photo: a file, an object, an address."""

from __future__ import annotations

import os

import pytest

from meanface.dataset import PhotoUnreadable, open_photos
from meanface.dataset.network_policy import NetworkPolicy
from meanface.errors import DamagedArchive, DatasetNotFound, SettingsError


@pytest.mark.parametrize("name", ["ada.png", "ADA.JPG", ".ada.jpg", "photo", "a.jpg?w=640", "[1]*.jpg", "2026.03.07"])
def test_a_file_is_one_photo(name, tmp_path, photo, listed, monkeypatch):
    (tmp_path / name).write_bytes(photo())
    (tmp_path / "other.png").write_bytes(photo(1))
    monkeypatch.chdir(tmp_path)
    for dataset in (tmp_path / name, name):
        found = listed(dataset)
        assert found.read_all() == {name: photo()}
        assert (found.source.kind, found.source.root) == ("folder", str(tmp_path))
        assert found.source.url == f"{tmp_path}/{name}"


def test_a_file_that_changes_after_the_plan_is_unreadable(tmp_path, photo, listed):
    path = tmp_path / "ada.png"
    path.write_bytes(photo())
    found = listed(path)
    path.write_bytes(photo() + b"more")
    with pytest.raises(PhotoUnreadable, match="changed since the plan"):
        found.read("ada.png")


def test_a_damaged_photo_is_a_photo_by_its_name(tmp_path, listed):
    (tmp_path / "ada.jpg").write_bytes(b"\x00\x01damaged" * 10)
    (tmp_path / "scan.tif").write_bytes(b"II*\0" + bytes(100))
    assert listed(tmp_path / "ada.jpg").names == ["ada.jpg"]
    assert listed(tmp_path / "scan.tif").names == ["scan.tif"]


def test_content_that_is_known_to_be_no_photo_comes_before_the_name(tmp_path, photo, tarred, listed):
    (tmp_path / "a.jpg").write_bytes(tarred(("b.png", photo())))
    assert listed(tmp_path / "a.jpg").names == ["b.png"]
    (tmp_path / "page.jpg").write_bytes(b"<html>" * 100)
    with pytest.raises(DamagedArchive, match=r"page\.jpg' is neither .* but an HTML page"):
        listed(tmp_path / "page.jpg")
    (tmp_path / "pointer.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DamagedArchive, match="git lfs pull"):
        listed(tmp_path / "pointer.jpg")


def test_what_is_no_file_is_not_opened(tmp_path, listed):
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("pipe.jpg", "missing.jpg"):
        with pytest.raises(DatasetNotFound, match=f"{name}' does not exist: expected a folder, a photo, an archive"):
            listed(tmp_path / name)


def test_a_link_is_followed_as_a_linked_folder_is(tmp_path, photo, listed):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.png").write_bytes(photo())
    (tmp_path / "in" / "same.png").symlink_to("ada.png")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "out.png").symlink_to("../in/ada.png")
    (tmp_path / "folder").symlink_to("in")
    assert listed(tmp_path / "in" / "same.png").read_all() == {"same.png": photo()}
    for link in ("links/out.png", "folder/ada.png"):
        found = listed(tmp_path / link)
        assert found.read_all() == {"ada.png": photo()}
        assert found.source.root == f"{tmp_path}/in"
    found = listed(tmp_path / "links" / "out.png")
    (tmp_path / "in" / "ada.png").unlink()
    (tmp_path / "in" / "ada.png").symlink_to("/etc/hostname")
    with pytest.raises(PhotoUnreadable, match="leads out of the dataset"):
        found.read("ada.png")


def test_settings_that_do_not_fit_are_refused(tmp_path, photo, listed):
    (tmp_path / "ada.png").write_bytes(photo())
    for settings, message in (
        ({"checksum": f"md5:{0:032x}"}, "is for a single archive"),
        ({"follow_links": True}, "follow_links is for a local folder"),
        ({"name_column": "id"}, "is for a list of photos"),
        ({"labels": "column"}, "has no columns that labels could come from"),
    ):
        with pytest.raises(SettingsError, match=message):
            listed(tmp_path / "ada.png", **settings)


def test_a_key_of_a_bucket_is_one_photo(bucket, photo, listed):
    bucket.pipe_file("photos/2026/ada b?#.JPG", photo())
    bucket.pipe_file("photos/2026/other.jpg", photo(1))
    found = listed("s3://photos/2026/ada b?#.JPG")
    assert found.read_all() == {"ada b?#.JPG": photo()}
    assert (found.source.kind, found.source.root) == ("folder", "s3://photos/2026")
    assert found.refs[0].version.startswith("etag:")
    bucket.pipe_file("photos/2026/ada b?#.JPG", photo(2))
    with pytest.raises(PhotoUnreadable, match="changed since the plan"):
        found.read("ada b?#.JPG")
    bucket.pipe_file("photos/top.jpg", photo(3))
    assert listed("s3://photos/top.jpg").read_all() == {"top.jpg": photo(3)}
    with pytest.raises(DatasetNotFound, match=r"'s3://photos/gone\.jpg' does not exist"):
        listed("s3://photos/gone.jpg")


def test_a_prefix_named_as_a_photo_is_a_folder(bucket, photo, listed):
    bucket.pipe_file("photos/dir.jpg/a.png", photo())
    for address in ("s3://photos/dir.jpg", "s3://photos/dir.jpg/"):
        assert listed(address).read_all() == {"a.png": photo()}


def test_a_web_address_is_one_photo(server, photo, listed):
    server.files["/ada.JPG"] = photo()
    found = listed(f"{server.url}/ada.JPG?key=secret")
    (ref,) = found.refs
    assert ref.name.startswith(f"{server.url}/ada.JPG#")
    assert (found.source.kind, found.source.url) == ("urls", f"{server.url}/ada.JPG")
    assert found.read(ref.name) == photo()
    with pytest.raises(DatasetNotFound, match=r"gone\.jpg' cannot be downloaded: the server answers HTTP 404"):
        listed(f"{server.url}/gone.jpg")


def test_the_host_of_a_web_address_is_trusted_as_that_of_an_archive(server, photo, listed, names):
    """Under `meanface run`; but nothing else in the same network is."""
    server.files["/ada.png"] = photo()
    names["nas.example"] = ["127.0.0.1"]
    address, policy = server.url.replace("127.0.0.1", "nas.example"), NetworkPolicy.of("dataset")
    found = listed(f"{address}/ada.png", network_policy=policy)
    assert found.read(f"{address}/ada.png") == photo()
    elsewhere = found.ref(f"{address}/ada.png")._replace(source=f"{server.url}/ada.png")
    with open_photos(found.source, found.storage, policy) as photos, pytest.raises(PhotoUnreadable, match="loopback"):
        photos.read(elsewhere, 1000)
    with pytest.raises(SettingsError, match="out of reach"):
        listed(f"{address}/ada.png", network_policy=NetworkPolicy())


def test_a_photo_behind_an_address_without_a_suffix_is_refused_with_advice(server, photo, listed):
    server.files["/photo"] = photo(kind="JPEG")
    with pytest.raises(DamagedArchive, match=r"but a JPEG photo: give its name a photo's suffix, such as \.jpg, or"):
        listed(f"{server.url}/photo")
