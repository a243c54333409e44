"""docs/compatibility.md, Buckets of Google Cloud Storage, against fake-gcs-server."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from compatibility import Place, Recipes
from gcs import GoogleProxy, gcs_server, photos_bucket, put

recipe = Recipes("Buckets of Google Cloud Storage")


class GooglePlace(Place):
    """A place beside a bucket named `photos`."""

    fs: Any

    def put(self, *names: str) -> None:
        """The portrait under names."""
        for name in names:
            put(self.fs, name, self.jpeg)


@pytest.fixture(scope="module")
def server() -> Iterator[GoogleProxy]:
    with gcs_server() as running:
        yield running


@pytest.fixture
def bucket(place: Place, server: GoogleProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[GooglePlace]:
    found = GooglePlace(place.path, place.portrait, place._workers, place._likeness)
    with photos_bucket(server, monkeypatch) as found.fs:
        yield found


def test_gcs(what: str, bucket: GooglePlace) -> None:
    recipe.check(what, bucket)


@recipe(
    "names with spaces, `+`, `=`, `&`, `%`, `#`, `?`, `[` or letters beyond ASCII, in Google's bucket",
    long=True,
)
def letters(bucket: GooglePlace) -> str:
    names = ["a b.jpg", "c+d.jpg", "e=f&g.jpg", "50%.jpg", "h%20i.jpg", "#1.jpg", "k?generation=1.jpg", "[x]*.jpg"]
    names.append("Zoë/j.jpg")
    bucket.put(*(f"2026/{name}" for name in names))
    return bucket.run("gs://photos/2026/").happened(*names)


@recipe("names with `..` for a folder", long=True)
def dots(bucket: GooglePlace) -> str:
    bucket.put("2026/a.jpg", "2026/../b.jpg")
    return bucket.run("gs://photos/2026/").happened("../b.jpg", detail="its key has '..' for a folder")


@recipe("an object that is replaced by one of the same size, of another generation", long=True)
def replaced(bucket: GooglePlace) -> str:
    bucket.put("2026/a.jpg", "2026/b.jpg")
    bucket.after_plan = lambda: put(bucket.fs, "2026/b.jpg", bytes(len(bucket.jpeg)))
    return bucket.run("gs://photos/2026/").happened("b.jpg", detail="changed since the plan")


@recipe("a list that is stored compressed (`gsutil cp -z csv`)", long=True)
def compressed_list(bucket: GooglePlace) -> str:
    bucket.put("2026/a.jpg", "2026/b.jpg")
    rows = "url\ngs://photos/2026/a.jpg\ngs://photos/2026/b.jpg\n" + "gs://photos/2026/a.jpg\n" * 50
    put(bucket.fs, "list.csv", gzip.compress(rows.encode()), encoding="gzip")
    account = bucket.run("gs://photos/list.csv")
    assert account.passed_over == {"rows that repeat a photo": 50}
    return account.happened("gs://photos/2026/a.jpg", "gs://photos/2026/b.jpg")


@recipe("a photo that is stored compressed (`gsutil cp -Z`)", long=True)
def compressed_photo(bucket: GooglePlace) -> str:
    bucket.put("2026/a.jpg")
    put(bucket.fs, "2026/b.jpg", gzip.compress(bucket.jpeg), encoding="gzip")
    return bucket.run("gs://photos/2026/").happened("b.jpg")


@recipe("a prefix of Google's bucket under which nothing is", long=True)
def nothing(bucket: GooglePlace) -> str:
    return bucket.refusal("gs://photos/none/", "no photo in it")


@recipe("a bucket that the credentials may not list", long=True)
def forbidden(bucket: GooglePlace) -> str:
    bucket.refusal("gs://anonymous/2026/", "may not be read with the present credentials", "other")
    return bucket.refusal("gs://forbidden/2026/", "may not be read with the present credentials")
