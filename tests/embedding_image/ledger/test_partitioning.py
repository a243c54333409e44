"""How sorted photos are cut: laws over any names, and every place of 10,000 for one photo more."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.ledger.partitioning import MAX_PARTITIONS, partitions, parts, priorities

names = st.sets(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), max_size=300).map(sorted)
sizes = st.integers(1, 40)
Part = tuple[str, ...]


def cut(listed: list[str], most: int) -> list[Part]:
    return [tuple(listed[place] for place in part) for part in parts(priorities(listed), most)]


@given(names, sizes)
def test_every_photo_is_in_one_part_of_bounded_size(listed: list[str], most: int) -> None:
    found = cut(listed, most)
    assert [name for part in found for name in part] == listed
    assert all(1 <= len(part) <= most for part in found)


@given(names.filter(len), sizes, st.data())
def test_one_photo_more_makes_two_parts_at_most(listed: list[str], most: int, data: st.DataObject) -> None:
    """And one less removes at most two: the same law in reverse."""
    other = data.draw(st.sampled_from(listed))
    without = [name for name in listed if name != other]
    assert len(set(cut(listed, most)) - set(cut(without, most))) <= 2


@given(names, sizes, st.integers(2, 8))
def test_a_part_is_a_whole_number_of_smaller_parts(listed: list[str], most: int, times: int) -> None:
    small, large = ({part[0] for part in cut(listed, each)} for each in (most, most * times))
    assert large <= small
    together = cut(listed, most * times)
    assert [part for each in together for part in cut(list(each), most)] == cut(listed, most)


@given(names, sizes, st.integers(1, 20))
def test_there_are_no_more_parts_than_allowed(listed: list[str], most: int, max_parts: int) -> None:
    photos = priorities(listed)
    found = partitions(photos, most, max_parts)
    assert len(found) <= max_parts
    doubled = next(size for size in (most << power for power in range(20)) if len(parts(photos, size)) <= max_parts)
    assert found == parts(photos, doubled)


@given(st.lists(st.sampled_from("ab"), max_size=300).map(sorted), sizes)
def test_photos_of_one_name_are_cut_like_others(listed: list[str], most: int) -> None:
    """An archive may have one name a million times; what of it is refused is still listed."""
    assert len(set(priorities(listed).tolist())) == len(listed)
    assert Counter(name for part in cut(listed, most) for name in part) == Counter(listed)


def test_parts_are_half_full_on_average() -> None:
    """Of a random binary search tree with n nodes 2 (n + 1) / (most + 1) - 1 have `most` nodes below and with them."""
    photos = priorities(f"photos/{number:06}.jpg" for number in range(200_000))
    for most in (64, 512, 1000):
        expected = 2 * len(photos) / (most + 1)
        assert abs(len(parts(photos, most)) - expected) < 4 * expected**0.5


def test_five_million_photos_are_a_few_hundred_partitions() -> None:
    photos = np.random.default_rng(0).integers(0, 2**64, 5_000_000, np.uint64)
    found = partitions(photos, 1000)
    assert MAX_PARTITIONS / 4 < len(found) <= MAX_PARTITIONS
    assert max(map(len, found)) <= 16_000


def test_the_cuts_are_the_same_on_every_machine() -> None:
    """Others than these would have every partition embedded anew."""
    photos = priorities(f"{number}.jpg" for number in range(1000, 1100))
    assert [part.start for part in parts(photos, 25)] == [0, 21, 28, 29, 54, 70, 85]


@pytest.mark.long
@pytest.mark.parametrize("most", [1000, 512])
@pytest.mark.parametrize("priority", ["of its name", "lowest", "low"])
def test_one_photo_more_at_every_place_of_10_000(most: int, priority: str) -> None:
    listed = [f"person{number // 9:04}/{number:05}.jpg" for number in range(10_000)]
    before = priorities(listed)
    known = set(parts(before, most))
    for place in range(len(listed) + 1):
        name = f"{listed[place - 1]}+" if place else "-"
        own = {"of its name": int(priorities([name])[0]), "lowest": 0, "low": int(before[place // 4 :].min()) + 1}
        found = parts(np.insert(before, place, np.uint64(own[priority])), most)
        left = {part for part in found if part.stop <= place}
        right = {range(part.start - 1, part.stop - 1) for part in found if part.start > place}
        assert len(found) - len((left | right) & known) <= 2
