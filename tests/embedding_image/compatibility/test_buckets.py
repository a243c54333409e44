"""docs/compatibility.md, Buckets: keys and prefixes, against a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from compatibility import Place, Recipes

recipe = Recipes("Buckets")


class BucketPlace(Place):
    """A place beside a bucket named `photos`."""

    fs: Any

    def put(self, *keys: str) -> None:
        """The portrait under keys."""
        for key in keys:
            self.fs.call_s3("put_object", Bucket="photos", Key=key, Body=b"" if key.endswith("/") else self.jpeg)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(place: Place, server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketPlace]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": server})
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    found = BucketPlace(place.path, place.portrait, place._workers, place._likeness)
    found.fs = fsspec.filesystem("s3", use_listings_cache=False)
    found.fs.mkdir("photos")
    yield found
    found.fs.rm("photos", recursive=True)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_buckets(what: str, bucket: BucketPlace) -> None:
    recipe.check(what, bucket)


@recipe("keys with spaces, `+`, `=`, `&`, `%`, `#`, `?`, `[` or letters beyond ASCII")
def letters(bucket: BucketPlace) -> str:
    names = ["a b.jpg", "c+d.jpg", "e=f&g.jpg", "50%.jpg", "h%20i.jpg", "#1?.jpg", "[x]*.jpg", "Zoë/j.jpg"]
    bucket.put(*(f"2026/{name}" for name in names))
    return bucket.run("s3://photos/2026/").happened(*names)


@recipe("a prefix with a space, `#`, `?` or `%`")
def prefixes(bucket: BucketPlace) -> str:
    for number, prefix in enumerate(("a b", "no #1", "who?", "50%20")):
        bucket.put(f"{prefix}/a.jpg")
        assert bucket.run(f"s3://photos/{prefix}/", f"results-{number}").happened("a.jpg") == "read", prefix
    return "read"


@recipe("another prefix that begins with the same letters: `2026-old/` beside `2026/`")
def neighbours(bucket: BucketPlace) -> str:
    bucket.put("2026/a.jpg", "2026-old/b.jpg")
    found = bucket.run("s3://photos/2026")
    assert set(found.photos) == {"a.jpg"}
    return found.happened("a.jpg")


@recipe("empty objects that stand for folders")
def folders(bucket: BucketPlace) -> str:
    bucket.put("2026/", "2026/people/", "2026/people/a.jpg")
    found = bucket.run("s3://photos/2026/")
    assert (set(found.photos), found.passed_over) == ({"people/a.jpg"}, {})
    return found.happened()


@recipe("keys with `.` or `..` for a folder")
def dots(bucket: BucketPlace) -> str:
    bucket.put("2026/a.jpg", "2026/../b.jpg", "2026/./c.jpg")
    return bucket.run("s3://photos/2026/").happened("../b.jpg", "./c.jpg", detail="its key has '..?' for a folder")


@recipe("an object in an archive class, such as Glacier")
def glacier(bucket: BucketPlace) -> str:
    bucket.put("2026/a.jpg")
    bucket.fs.call_s3("put_object", Bucket="photos", Key="2026/b.jpg", Body=bucket.jpeg, StorageClass="GLACIER")
    return bucket.run("s3://photos/2026/").happened("b.jpg", detail="not valid for the object's storage class")


@recipe("an object that is replaced between plan and reading, by one of the same size")
def replaced(bucket: BucketPlace) -> str:
    bucket.put("2026/a.jpg", "2026/b.jpg")
    bucket.after_plan = lambda: bucket.fs.pipe_file("photos/2026/b.jpg", bytes(len(bucket.jpeg)))
    return bucket.run("s3://photos/2026/").happened("b.jpg", detail="changed since the plan")


@recipe("a glob of photos: `2026/*/front.jpg`, `{0..9}.jpg`")
def globs(bucket: BucketPlace) -> str:
    bucket.put("2026/ada/front.jpg", "2026/bob?/front.jpg", "2026/bob?/side.jpg", "7.jpg")
    found = bucket.run("s3://photos/2026/*/front.jpg")
    assert set(found.photos) == {"ada/front.jpg", "bob?/front.jpg"}
    assert bucket.run("s3://photos/{0..9}.jpg", "results-2").happened("7.jpg") == "read"
    return found.happened()


@recipe("one photo: `s3://bucket/ada.jpg`")
def one_photo(bucket: BucketPlace) -> str:
    bucket.put("2026/ada.jpg", "2026/bob.jpg")
    found = bucket.run("s3://photos/2026/ada.jpg")
    assert set(found.photos) == {"ada.jpg"}
    return found.happened()


@recipe("a prefix under which nothing is")
def nothing(bucket: BucketPlace) -> str:
    return bucket.refusal("s3://photos/none/", "no photo in it")
