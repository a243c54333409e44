"""The addresses in the setting `dataset`, and the folders of several datasets."""

from __future__ import annotations

import os
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.dataset import canonical_address, resolve
from meanface.dataset.addresses import addresses, folder_names, public_addresses, shown_addresses
from meanface.errors import SettingsError

DATE = datetime(2026, 3, 7)  # noqa: DTZ001 - fields are filled from the date as it is


def test_one_address_stays_as_it_is(tmp_path):
    (tmp_path / "two\nlines").mkdir()
    for address in (f"{tmp_path}/two\nlines", f"file://{tmp_path}/two\nlines", " a ", "s3://photos/%Y/"):
        assert addresses(address) == (address,)
    assert canonical_address(f"{tmp_path}/two\nlines") == f"{tmp_path}/two\nlines"
    assert resolve(f"{tmp_path}/two\nlines", None) == f"{tmp_path}/two\nlines"


def test_lines_of_a_form_are_addresses():
    assert addresses("sample\n") == ("sample",)
    assert addresses("\r\nsample\r\n \r\ns3://photos/a b\r\n") == ("sample", "s3://photos/a b")
    assert addresses("\n") == ("\n",)


def test_dates_are_filled_in_every_address(tmp_path):
    (tmp_path / "100%Y").mkdir()
    given = f"s3://photos/%Y/%m/\n{tmp_path}/100%Y\nhttps://x.example/%d0-%d.zip"
    assert resolve(given, DATE) == f"s3://photos/2026/03/\n{tmp_path}/100%Y\nhttps://x.example/%d0-07.zip"
    with pytest.raises(SettingsError, match="'s3://photos/%Y/' has the date field %Y"):
        resolve("sample\ns3://key:secret@photos/%Y/", None)


def test_no_line_keeps_its_credentials():
    given = "s3://key:secret@photos/a\nhttps://ada:secret@photos.example/b.tgz?key=secret\n/data/c"
    assert public_addresses(given) == "s3://photos/a\nhttps://photos.example/b.tgz\n/data/c"
    assert shown_addresses(given) == "s3://photos/a, https://photos.example/b.tgz, /data/c"


def test_local_paths_are_absolute_in_every_line(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to("photos")
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert canonical_address("link\nsample\ns3://photos") == f"{tmp_path}/photos\nsample\ns3://photos"
    (tmp_path / "my photos").mkdir()
    assert canonical_address(f"file://{tmp_path}/my%20photos") == f"{tmp_path}/my photos"


def test_folders_are_the_last_parts_of_the_addresses(tmp_path, monkeypatch):
    (tmp_path / "2026" / "[x]").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "2026")
    for address, name in {
        ".": "2026",
        "..": tmp_path.name,
        "./": "2026",
        "[x]": "[x]",
        "*.jpg": "2026",
        f"{tmp_path}/2026/*/front.jpg": "2026",
        f"file://{tmp_path}/my%20photos": "my%20photos",
        "/data/ada.jpg": "ada.jpg",
        "~/photos": "photos",
        "/": "dataset",
        "s3://bucket": "bucket",
        "s3://bucket/a/b?c#d/": "b?c#d",
        "s3://bucket/a/*.parquet": "a",
        "s3://bucket/*.jpg": "bucket",
        "https://host.example:8080": "host.example",
        "https://host.example/a%20b.csv#x?y": "a b.csv",
        "https://host.example/%2e%2e": "dataset",
        "lfw": "lfw",
    }.items():
        assert folder_names([address]) == [name], address


@given(st.lists(st.sampled_from(["a", "b/a", "a (2)", "c/a (2)", "s3://x/a", "https://h/%00", "/"]), max_size=12))
def test_every_dataset_has_a_folder_of_its_own_that_depends_on_those_before_it(several: list[str]) -> None:
    names = folder_names(several)
    assert len(set(names)) == len(several)
    assert all(name and name == os.path.basename(name) and "\0" not in name for name in names)  # noqa: PTH119 - Path ignores a slash at the end
    assert [folder_names(several[: count + 1])[-1] for count in range(len(several))] == names
