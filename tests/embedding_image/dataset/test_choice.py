"""A choice of photos depends on the photos alone, and what it leaves out is in the account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.dataset import choice
from meanface.dataset.choice import ChosenDataset, chosen, matcher
from meanface.dataset.refs import PhotoRef, Source
from meanface.errors import SettingsError
from meanface.settings import Settings

NAMES = st.lists(st.text("ab/é.", min_size=1, max_size=4), max_size=30)
COUNTS = st.none() | st.integers(1, 40)
NEW = ("include", "exclude", "sample", "limit", "follow_links")


class Photos:
    """A dataset of photos with these names, in this order; some names twice, as a list may have them."""

    def __init__(self, names):
        self.refs = [PhotoRef(name, size) for size, name in enumerate(names)]
        self.source = Source(url="photos", kind="folder", root="/photos")

    def list(self):
        return iter(self.refs)


def choose(dataset, **settings):
    """The chosen photos, and the number of those left out by each setting."""
    choice_of = ChosenDataset(dataset, Settings.of(dataset="photos", **settings))
    refs = list(choice_of.list())
    left_out = {kind.kind.removeprefix("photos left out by "): kind.files for kind in choice_of.source.passed_over}
    return refs, left_out


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """So few photos at once that many batches are dropped."""
    monkeypatch.setattr(choice, "BATCH", 2)


@given(NAMES, COUNTS, COUNTS, st.randoms(use_true_random=False))
def test_the_same_photos_are_chosen_in_whatever_order_they_are_listed(names, sample, limit, random):
    dataset = Photos(names)
    settings = {"sample": sample, "limit": limit, "exclude": ["b*"]}
    first, left_out = choose(dataset, **settings)
    random.shuffle(dataset.refs)
    again, left_out_again = choose(dataset, **settings)
    assert sorted(first) == sorted(again)
    assert left_out == left_out_again


@given(NAMES, COUNTS, COUNTS)
def test_every_photo_is_chosen_or_counted(names, sample, limit):
    refs, left_out = choose(Photos(names), sample=sample, limit=limit, include=["a*"], exclude=["*b"])
    assert len(refs) + sum(left_out.values()) == len(names)
    assert len(refs) <= min(sample or 99, limit or 99)


@given(NAMES, st.integers(1, 30))
def test_a_larger_sample_has_the_smaller_one(names, size):
    smaller, larger = choose(Photos(names), sample=size)[0], choose(Photos(names), sample=size + 1)[0]
    assert len(smaller) == min(size, len(names))
    assert set(smaller) <= set(larger)


@given(NAMES, st.text("ab", min_size=1, max_size=3), st.integers(1, 30))
def test_one_photo_more_replaces_at_most_one_of_a_sample(names, new, size):
    before, after = choose(Photos(names), sample=size)[0], choose(Photos([*names, new]), sample=size)[0]
    assert len(set(before) - set(after)) <= 1


@given(NAMES, st.integers(1, 30), st.integers(1, 30))
def test_a_limit_takes_the_first_photos_by_name_of_the_sample(names, sample, limit):
    sampled, both = choose(Photos(names), sample=sample)[0], choose(Photos(names), sample=sample, limit=limit)[0]
    assert both == sorted(sampled)[:limit]


def test_a_sample_is_of_the_photos_that_the_patterns_choose():
    names = [f"{folder}/{number}.jpg" for folder in ("anna", "bob") for number in range(50)]
    refs, left_out = choose(Photos(names), include=["anna"], sample=20)
    assert len(refs) == 20
    assert all(ref.name.startswith("anna/") for ref in refs)
    assert left_out == {"include": 50, "sample=20": 30}


def test_a_sample_is_spread_over_the_names():
    refs, _ = choose(Photos([f"{number:04d}.jpg" for number in range(1000)]), sample=200)
    in_each_tenth = [sum(ref.name.startswith(f"0{digit}") for ref in refs) for digit in range(10)]
    assert min(in_each_tenth) >= 8
    assert max(in_each_tenth) <= 35


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.jpg", "a/b/1.jpg", True),
        ("*.jpg", "1.JPG", False),
        ("anna", "anna/2023/1.jpg", True),
        ("anna/", "anna/1.jpg", True),
        ("anna", "hanna/1.jpg", False),
        ("anna", "joanna.jpg", False),
        ("anna/2023", "anna/2023/1.jpg", True),
        ("2023", "anna/2023/1.jpg", False),
        ("*/2023", "anna/2023/1.jpg", True),
        ("a[0-2]?.png", "a1x.png", True),
        ("a[!0-2].png", "a1.png", False),
        ("a[1.png", "a[1.png", True),
        ("Jose\u0301", "José/1.jpg", True),
        ("a\nb", "a\nb/1.jpg", True),
        ("https://photos.example/anna", "https://photos.example/anna/1.jpg", True),
        ("*a" * 30, "a" * 4000 + "b", False),
    ],
)
def test_a_pattern_matches_a_name_or_a_folder_above_it(pattern, name, matches):
    assert matcher([pattern])(name) is matches


@pytest.mark.parametrize("pattern", ["", "/home/ada/photos/*"])
def test_a_pattern_that_can_match_no_name_is_refused(pattern):
    with pytest.raises(SettingsError, match=r"exclude.*relative to the dataset"):
        Settings.of(dataset="photos", exclude=["a", pattern])


@pytest.mark.parametrize("count", ["sample", "limit"])
def test_a_choice_of_no_photos_is_refused(count):
    with pytest.raises(SettingsError, match=f"{count}=0"):
        Settings.of(dataset="photos", **{count: 0})


def test_by_default_the_dataset_is_listed_as_it_is():
    dataset, settings = Photos(["a"]), Settings(dataset="photos")
    assert chosen(dataset, settings) is dataset
    assert {name: Settings.model_fields[name].default for name in NEW} == {
        name: getattr(settings, name) for name in NEW
    }


def test_every_kind_of_dataset_has_the_same_choice_and_account(tmp_path, photo, tarred, listed):
    names = ["anna/1.png", "anna/2.png", "anna/3.png", "bob/4.png", "bob/5.png", "private/6.png", "7.png", "8.gif"]
    for number, name in enumerate(names):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(number))
    (tmp_path / "photos" / "a.mov").touch()
    (tmp_path / "all.tar").write_bytes(tarred(*((name, photo(n)) for n, name in enumerate(names)), ("a.mov", b"")))
    settings = {"include": ["*.png"], "exclude": ["private"], "sample": 4, "limit": 3}
    folder, archive = (listed(tmp_path / place, **settings) for place in ("photos", "all.tar"))
    assert folder.read_all() == archive.read_all()
    assert folder.source.passed_over == archive.source.passed_over
    assert folder.passed_over == {
        "videos": 1,
        "photos left out by include": 1,
        "photos left out by exclude": 1,
        "photos left out by sample=4": 2,
        "photos left out by limit=3": 1,
    }


def test_include_leaves_out_no_damage_whose_photos_it_might_choose(tmp_path, photo, tarred, listed):
    whole = tarred(("anna/1.png", photo(1)), ("anna/2.png", photo(2)))
    (tmp_path / "cut.tar").write_bytes(whole[: 512 + 512 + 100])  # in the header of the second photo
    found = listed(tmp_path / "cut.tar", include=["anna/*"])
    assert found.names == ["anna/1.png", "cut.tar"]
    assert "ends early" in found.refusals["cut.tar"]


def test_follow_links_is_refused_where_there_are_none(tmp_path, photo, tarred, listed):
    (tmp_path / "all.tar").write_bytes(tarred(("a.png", photo())))
    with pytest.raises(SettingsError, match=r"follow_links is for a local folder, which '.*all\.tar' is not"):
        listed(tmp_path / "all.tar", follow_links=True)
