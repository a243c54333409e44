"""Duplicates: what comparing each with each would find."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanface.stats import duplicates
from meanface.stats.duplicates import PhotoHashes, close_pairs
from synthetic import embeddings


def hashes(numbers: list[int], limit: int = 1000, chunk: int = 7) -> PhotoHashes:
    """Of photos whose bytes are numbers, added a chunk at a time."""
    kept = PhotoHashes(limit)
    digests = [hashlib.sha256(bytes([number])).digest() for number in numbers]
    for start in range(0, len(numbers), chunk):
        part = digests[start : start + chunk]
        kept.add(np.arange(start, start + len(part), dtype=np.int64), part)
    return kept


@given(st.lists(st.integers(0, 40), max_size=60))
def test_groups_are_the_photos_with_equal_bytes(numbers: list[int]) -> None:
    places = [[i for i, n in enumerate(numbers) if n == number] for number in set(numbers)]
    wanted = sorted((group for group in places if len(group) > 1), key=lambda group: (-len(group), group))
    groups, photos, largest = hashes(numbers).identical(groups=5, names=3)
    assert (groups, photos) == (len(wanted), sum(map(len, wanted)))
    assert largest == [(len(group), group[:3]) for group in wanted[:5]]


@given(st.lists(st.integers(0, 200), min_size=1, max_size=200), st.integers(1, 20), st.integers(1, 200))
def test_the_kept_hashes_do_not_depend_on_chunks(numbers: list[int], limit: int, chunk: int) -> None:
    """And all photos of equal bytes are kept, or none."""
    whole, parts = hashes(numbers, limit, len(numbers)), hashes(numbers, limit, chunk)
    assert (whole.step, whole.count, whole.identical()) == (parts.step, parts.count, parts.identical())
    assert whole.count <= limit
    for _, group in whole.identical(groups=200, names=200).largest:
        assert [i for i, n in enumerate(numbers) if n == numbers[group[0]]] == group


@given(st.sets(st.integers(0, 100)), st.sets(st.integers(0, 100)))
def test_shared_photos_are_counted(here: set[int], there: set[int]) -> None:
    assert hashes(sorted(here)).shared_with(hashes(sorted(there))) == len(here & there)


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.12, 1.0]))
def test_close_pairs_are_those_of_a_comparison_of_all_pairs(count: int, seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    rows = embeddings(count, seed)
    rows[count // 2 :] = rows[: count - count // 2] + random.normal(0, 0.01, (count - count // 2, 128))
    photos = np.arange(count) // 2
    axis = random.normal(size=128)
    found = close_pairs(rows, photos, axis / np.linalg.norm(axis), threshold, keep=5)
    assert found is not None
    apart = np.sqrt(((rows.astype(float)[:, None] - rows.astype(float)) ** 2).sum(axis=2))
    i, j = np.triu_indices(count, 1)
    wanted = sorted((apart[a, b], a, b) for a, b in zip(i, j, strict=True) if photos[a] != photos[b])
    wanted = [pair for pair in wanted if pair[0] <= threshold]
    assert found[0] == len(wanted)
    assert [pair[1:] for pair in found[1]] == [pair[1:] for pair in wanted[:5]]
    assert [pair.distance for pair in found[1]] == pytest.approx([pair[0] for pair in wanted[:5]])


def test_the_search_ends_if_too_many_pairs_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MAX_PAIRS", 100)
    same = np.zeros((20, 128), np.float32)
    assert close_pairs(same[:10], np.arange(10), np.eye(128)[0]) is not None
    assert close_pairs(same, np.arange(20), np.eye(128)[0]) is None
