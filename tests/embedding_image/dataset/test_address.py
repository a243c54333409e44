"""Date fields and kinds of addresses."""

from __future__ import annotations

from datetime import datetime

import pytest

from meanface.dataset import resolve
from meanface.dataset.address import expand_braces, is_glob, local_path, refuse_unchecked
from meanface.dataset.network_policy import PUBLIC
from meanface.errors import SettingsError

DATE = datetime(2026, 3, 7, 15, 4, 5)  # noqa: DTZ001 - fields are filled from the date as it is


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        ("s3://photos/%Y/%m/%d/", "s3://photos/2026/03/07/"),
        ("/data/%y%j-%H%M%S.tar", "/data/26066-150405.tar"),
        ("/data/100%%/%Y", "/data/100%/2026"),
        ("https://x.example/a%20b/%Y.zip", "https://x.example/a%20b/2026.zip"),
        ("https://x.example/%d0%b0-%d.zip", "https://x.example/%d0%b0-07.zip"),
        ("s3://photos/%d0/", "s3://photos/070/"),
        ("/data/%s/%q/%", "/data/%s/%q/%"),
    ],
)
def test_date_fields_are_filled_and_the_rest_stays(given, resolved):
    assert resolve(given, DATE) == resolved


def test_a_date_field_needs_a_date():
    with pytest.raises(SettingsError, match=r"'s3://photos/%Y/' has the date field %Y, but the run has no date"):
        resolve("s3://key:secret@photos/%Y/", None)
    assert resolve("/data/100%%/a%20b", None) == "/data/100%/a%20b"


def test_braces_expand_to_every_number():
    assert expand_braces("a-{09..11}-{0..1}.tar") == [f"a-{a}-{b}.tar" for a in ("09", "10", "11") for b in "01"]


def test_braces_that_count_down_stand_for_nothing():
    assert expand_braces("a-{3..1}.tar") == []


@pytest.mark.parametrize(
    "braces",
    ["{0..1000000}", "{0..999}{0..9999}", "{5..1}{0..9999999}", "{1..99999999999999999999}", "{1.." + "9" * 5000 + "}"],
)
def test_too_many_files_are_refused(braces):
    with pytest.raises(SettingsError, match="more than"):
        expand_braces(f"shard-{braces}.tar")


def test_an_invalid_address_is_not_quoted():
    with pytest.raises(SettingsError, match=r"^dataset address has the date field %Y") as refused:
        resolve("https://u:secret@[broken/%Y", None)
    assert "secret" not in str(refused.value)


def test_a_question_mark_is_a_wildcard_but_for_the_web():
    assert is_glob("/data/shard-?.tar")
    assert not is_glob("https://x.example/a.zip?b=*")
    assert [is_glob(f"s3://photos/{key}") for key in ("who?/[1]/", "who?/s-[0-9].tar", "*/", "s-{0..9}")] == [
        *(False, True, True, True)
    ]


def test_an_existing_path_has_no_date_fields(tmp_path):
    (tmp_path / "100%mine").mkdir()
    (tmp_path / "50%%").mkdir()
    for name in ("100%mine", "50%%"):
        for given in (f"{tmp_path}/{name}", f"file://{tmp_path}/{name}"):
            assert resolve(given, DATE) == resolve(given, None) == given
    assert resolve(f"{tmp_path}/%Y", DATE) == f"{tmp_path}/2026"


def test_local_paths():
    assert local_path("file://localhost/a/b") == "/a/b"
    assert [local_path(one) for one in ("/a/b", "a://b", "file:///a/b", "a/b://c")] == ["/a/b", None, "/a/b", "a/b://c"]


@pytest.mark.parametrize(
    "account", ["evil.example", "evil.example/.dfs.core.windows.net", "a.dfs.core.windows.net.evil"]
)
def test_an_azure_address_names_an_account_and_no_host(account: str) -> None:
    refuse_unchecked("abfss://photos@account1.dfs.core.windows.net/2026", PUBLIC)
    with pytest.raises(SettingsError, match="behind the @ is no storage account of Azure"):
        refuse_unchecked(f"abfss://photos@{account}/2026", PUBLIC)


@pytest.mark.parametrize("start", ["s3://photos", "gs://photos", "gcs://photos", "hf://datasets/ada/faces@v1"])
def test_buckets_and_the_hub_need_no_permission(start: str) -> None:
    for name in ("", "/2026/", "/x.tar", "/*.jpg"):
        refuse_unchecked(f"{start}{name}", PUBLIC)
    with pytest.raises(SettingsError, match="chained addresses"):
        refuse_unchecked(f"simplecache::{start}", PUBLIC)
