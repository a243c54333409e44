"""Patterns of photos: which names match, and which folders are entered."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.dataset.photo_pattern import PhotoPattern, is_pattern_of_photos
from meanface.errors import SettingsError

NAMES = st.lists(st.sampled_from(["a", "b", "ab", "2026-03", "x.y", "é", ""]), max_size=4).flatmap(
    lambda folders: st.sampled_from(["a.jpg", "b.JPG", "ab.png", ".jpg", "a", "é.Jpg"]).map(
        lambda base: "/".join([*folders, base])
    )
)
PARTS = st.lists(st.sampled_from(["*", "**", "a*", "?", "[ab]", "2026-{01..12}", "x.y", "é", "*b*"]), max_size=4)
PATTERNS = PARTS.flatmap(
    lambda folders: st.sampled_from(["*.jpg", "a.jpg", "?.[jJ]pg", "{1..3}.jpg", "*.jp*g"]).map(
        lambda base: "/".join([*folders, base])
    )
)


def as_expression(pattern: str) -> str:
    """The same pattern as one regular expression; `{` only stands for the months and 1 to 3."""
    found = ""
    for token in re.findall(r"\*\*/|\{\d+\.\.\d+\}|\[\w+\]|.", pattern):
        if token == "**/":
            found += "(?:[^/]*/)*"
        elif token.startswith("{"):
            found += "(?:0[1-9]|1[0-2])" if ".." in token and "01" in token else "[1-3]"
        else:
            found += {"*": "[^/]*", "?": "[^/]"}.get(token) or (token if token.startswith("[") else re.escape(token))
    stem, dot, suffix = found.rpartition(".")
    return f"{stem}{dot}(?i:{suffix})"


@given(PATTERNS, NAMES)
def test_a_pattern_is_the_regular_expression_that_it_stands_for(pattern: str, name: str) -> None:
    assert PhotoPattern(pattern).matches(name) == bool(re.fullmatch(as_expression(pattern), name))


@given(PATTERNS, NAMES)
def test_every_folder_above_a_name_that_matches_may_hold_it(pattern: str, name: str) -> None:
    found = PhotoPattern(pattern)
    folders = name.split("/")[:-1]
    if found.matches(name):
        assert all(found.may_hold("/".join(folders[:depth])) for depth in range(1, len(folders) + 1))


def test_folders_that_cannot_hold_a_photo_are_known() -> None:
    found = PhotoPattern("20{25..26}/*/front.jpg")
    assert [found.may_hold(folder) for folder in ("2026", "2026/ada", "2026/ada/raw", "2024", "202")] == [
        *(True, True, False, False, False)
    ]


def test_stars_do_not_cross_folders_and_two_of_them_do() -> None:
    assert not PhotoPattern("*.jpg").matches("a/b.jpg")
    assert not PhotoPattern("a?b.jpg").matches("a/b.jpg")
    assert all(PhotoPattern("a/**/b.jpg").matches(name) for name in ("a/b.jpg", "a/x/b.jpg", "a/x/y/b.jpg"))
    with pytest.raises(SettingsError, match=r"unlike in '\*\*\.jpg': write \*\*/\*\.jpg"):
        PhotoPattern("a/**.jpg")


def test_forms_of_unicode_are_equal() -> None:
    apart = unicodedata.normalize("NFD", "José/é.jpg")
    assert PhotoPattern("José/é.jpg").matches(apart)
    assert PhotoPattern(apart).matches("José/é.jpg")
    assert PhotoPattern("José/?.jpg").matches(apart)


def test_letters_that_are_no_wildcards_in_a_bucket() -> None:
    found = PhotoPattern("who?/[1]/*.jpg", "*")
    assert found.matches("who?/[1]/a.jpg")
    assert not found.matches("whom/1/a.jpg")


def test_a_hostile_pattern_takes_no_longer_than_another() -> None:
    """As one expression without atomic groups, it would take years."""
    assert not PhotoPattern(f"{'*a' * 60}*.jpg").matches(f"{'a' * 59}{'b' * 180}.jpg")
    assert PhotoPattern("**/" * 60 + "*.jpg").matches("a/" * 60 + "b.jpg")


def test_too_many_numbers_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"'\*-\{0\.\.1000\}\.jpg' stands for 1,001 patterns, more than 1,000"):
        PhotoPattern("*-{0..1000}.jpg")
    assert PhotoPattern("{0..99999}.jpg").matches("54321.jpg")
    with pytest.raises(SettingsError, match="more than 1,000,000 files"):
        PhotoPattern("{0..1000000}.jpg")


@pytest.mark.parametrize(
    ("address", "photos"),
    [
        ("a/*.jpg", True),
        ("a/*.HEIC", True),
        ("a/*/front.jpeg", True),
        ("a/*.jp*g", True),
        ("a/*.[jJ][pP][gG]", True),
        ("s3://b/*.[jJ]pg", False),
        ("a/*", False),
        ("a/*.*", False),
        ("a/*.t*", False),
        ("a/*.tar", False),
        ("a/*.parquet", False),
        ("a.jpg/*", False),
        ("a/{0..9}", False),
        ("a/x.{0..9}", False),
    ],
)
def test_the_suffix_says_whether_a_pattern_is_of_photos(address: str, photos: bool) -> None:
    assert is_pattern_of_photos(address) == photos
