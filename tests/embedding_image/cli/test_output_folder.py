"""The name of the output folder, for every kind of dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.cli.output_folder import default_output


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("sample", "sample-mean"),
        ("lfw", "lfw-mean"),
        ("photos", "photos-mean"),
        ("/data/My photos/", "My photos-mean"),
        ("/data/photos.2026", "photos-mean"),
        ("/data/2026/03/07", "data-2026-03-07-mean"),
        ("file:///data/my%20photos", "my photos-mean"),
        ("/data/people.tar.gz", "people-mean"),
        ("people.csv", "people-mean"),
        ("/data/shard-*.tar", "shard-mean"),
        ("/data/*.tar", "data-mean"),
        ("s3://photos/faces-{000..127}.tar", "faces-mean"),
        ("photos/2026-*/*.jpg", "photos-2026-mean"),
        ("/data/people/ada.jpg", "ada-mean"),
        ("s3://photos/people/*/front.JPG", "front-mean"),
        ("s3://photos/people/ada.jpg", "ada-mean"),
        ("s3://photos/people/ada.jpg/", "ada.jpg-mean"),
        ("https://photos.example/ada.jpg?key=secret", "ada-mean"),
        ("s3://photos", "photos-mean"),
        ("s3://key:secret@photos/2026/people/", "people-mean"),
        ("s3://photos/v1.2/", "v1.2-mean"),
        ("s3://photos/2026/03/07/", "photos-2026-03-07-mean"),
        ("s3://photos/people.parquet", "people-mean"),
        ("https://ada:secret@photos.example/a/lfw.tgz?key=secret", "lfw-mean"),
        ("https://photos.example/", "photos.example-mean"),
        ("https://photos.example/files/5976018", "files-5976018-mean"),
        ("https://photos.example/%2e%2e%2Fetc", "etc-mean"),
        ("/data/-rf", "rf-mean"),
        ("/data/...", "data-mean"),
        ("/", "photos-mean"),
        ("/data/\x1b[31m\u202eab\n", "31m-ab-mean"),
    ],
)
def test_the_folder_is_named_after_the_dataset(dataset: str, name: str) -> None:
    assert default_output(dataset) == name


def test_a_folder_keeps_its_dots_and_is_named_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos.2026").mkdir()
    (tmp_path / "link").symlink_to("photos.2026")
    monkeypatch.chdir(tmp_path / "photos.2026")
    named = {default_output(path) for path in (".", "../photos.2026", f"{tmp_path}/link", f"{tmp_path}/photos.2026/")}
    assert named == {"photos.2026-mean"}


@given(st.text(min_size=1, max_size=400))
def test_any_address_gives_a_name_that_every_file_system_takes(dataset: str) -> None:
    for address in (dataset, f"s3://bucket/{dataset}", f"/data/{dataset}"):
        name = default_output(address.replace("\0", ""))
        assert name == Path(name).name
        assert name.isprintable()
        assert not name.startswith((".", "-", " "))
        assert len(name.encode()) <= 255
