"""Versions: a photo that is replaced by another of the same size is noticed, and an unchanged one is not."""

from __future__ import annotations

import hashlib
import os

import pytest

from meanface.dataset import PhotoUnreadable, open_photos


def versions(found):
    return {ref.name: ref.version for ref in found.refs}


def put(path, data, at=1_000_000_000):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (at, at))


def test_in_a_folder_it_is_the_time_of_modification(tmp_path, photo, listed):
    folder = tmp_path / "photos"
    for name in ("a.png", "b.png"):
        put(folder / name, photo())
    (folder / "link.png").symlink_to("b.png")
    os.mkfifo(folder / "pipe.png")
    before = listed(folder)
    assert versions(before) == dict.fromkeys(("a.png", "b.png", "link.png"), f"mtime:{10**18}") | {"pipe.png": ""}
    put(folder / "b.png", photo(1), at=1_000_000_001)
    after = versions(listed(folder))
    assert {name for name, version in versions(before).items() if after[name] != version} == {"b.png", "link.png"}
    assert before.read("a.png") == photo()
    for name in ("b.png", "link.png"):
        with pytest.raises(PhotoUnreadable, match="changed since the plan: as many bytes, of another version"):
            before.read(name)


def test_in_a_bucket_it_is_the_etag(bucket, photo, listed):
    for name in ("a.png", "b.png"):
        bucket.pipe_file(f"photos/{name}", photo(int(name == "b.png")))
    before = listed("s3://photos")
    assert versions(before) == {
        name: f"etag:{hashlib.md5(photo(int(name == 'b.png'))).hexdigest()}" for name in ("a.png", "b.png")
    }
    bucket.pipe_file("photos/a.png", photo())  # the same bytes again
    bucket.pipe_file("photos/b.png", photo(2))
    assert len(photo(1)) == len(photo(2))
    assert before.read("a.png") == photo()
    with pytest.raises(PhotoUnreadable, match="changed since the plan: as many bytes, of another version"):
        before.read("b.png")
    bucket.rm("photos/b.png")
    with pytest.raises(PhotoUnreadable, match="gone since the plan"):
        before.read("b.png")


def test_in_an_archive_it_is_the_checksum_of_the_photo(tmp_path, tarred, photo, listed, storage):
    path = tmp_path / "photos.tar"
    path.write_bytes(tarred(("a.png", photo(1)), ("b.png", photo(2)), ("./b.png", photo(3))))
    found = listed(path)
    assert [ref.version for ref in sorted(found.refs, key=lambda ref: (ref.name, not ref.refusal))] == [
        f"sha256:{hashlib.sha256(photo(1)).hexdigest()}",
        "",  # replaced by a later one
        f"sha256:{hashlib.sha256(photo(3)).hexdigest()}",
    ]
    path.write_bytes(tarred(("a.png", photo(4)), ("b.png", photo(2)), ("./b.png", photo(3))))
    listed(path)  # the shards are written anew
    with pytest.raises(PhotoUnreadable, match="its shard changed since the plan"):
        found.read("a.png")
    assert found.read("b.png") == photo(3)


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_in_shards_it_is_the_shards(place, tmp_path, tarred, photo, listed, request):
    bucket = request.getfixturevalue("bucket") if place == "bucket" else None
    pattern = "s3://photos/set/*.tar" if bucket else f"{tmp_path}/set/*.tar"

    def write(name, *photos, at=1_000_000_000):
        data = tarred(*((f"{number}.png", data) for number, data in enumerate(photos)))
        if bucket:
            bucket.pipe_file(f"photos/set/{name}.tar", data)
        else:
            put(tmp_path / "set" / f"{name}.tar", data, at)

    write("x", photo(0), photo(1))
    write("y", photo(2))
    before = listed(pattern)
    write("x", photo(0), photo(3), at=1_000_000_001)
    after = versions(listed(pattern))
    assert all(version.startswith("etag:" if bucket else "mtime:") for version in after.values())
    changed = {name for name, version in versions(before).items() if after[name] != version}
    assert changed == {"x.tar/0.png", "x.tar/1.png"}
    assert before.read("y.tar/0.png") == photo(2)
    for name in changed:
        with pytest.raises(PhotoUnreadable, match="its shard changed since the plan"):
            before.read(name)


def test_behind_urls_the_version_is_unknown(tmp_path, server, photo, listed, storage):
    server.files["/a.png"] = photo()
    (tmp_path / "list.csv").write_text(f"url\n{server.url}/a.png\n")
    found = listed(tmp_path / "list.csv")
    assert versions(found) == {f"{server.url}/a.png": ""}
    with open_photos(found.source, storage, found.network_policy) as photos:
        assert photos.read(found.refs[0], 10_000) == photo()
