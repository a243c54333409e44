"""Neighbours by matrix product: those of comparing all pairs in float64, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.stats import neighbours
from meanface.stats.neighbours import BINS, Gallery
from synthetic import embeddings

Vectors = np.ndarray


def all_pairs(queries: Vectors, vectors: Vectors) -> Vectors:
    away = queries[:, None].astype(np.float64) - vectors
    return np.sqrt((away * away).sum(axis=2))


def faces(count: int, seed: int, dimension: int, scale: float) -> Vectors:
    """Vectors of a size, some of them equal or almost equal to others."""
    rows = (np.random.default_rng(seed).standard_normal((count, dimension)) * scale).astype(np.float32)
    rows[::3] = rows[:1]
    rows[1::5] = rows[1:2] * np.float32(1 + 1e-6)
    return rows


@given(
    st.integers(1, 40),
    st.integers(0, 30),
    st.integers(0, 99),
    st.sampled_from([2, 128, 512]),
    st.sampled_from([1e-3, 0.1, 30.0]),
    st.integers(1, 7),
)
def test_the_nearest_are_those_of_all_pairs(
    vectors: int, queries: int, seed: int, dimension: int, scale: float, k: int
) -> None:
    """Also where many are equally near: the first ones."""
    known = faces(vectors, seed, dimension, scale).astype(np.float64)
    asked = np.concatenate([faces(queries, seed + 1, dimension, scale), known[:2].astype(np.float32)])
    distances = all_pairs(asked, known)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    found = Gallery(known).nearest(asked, k)
    assert found.indices.tolist() == order.tolist()
    assert found.distances.tolist() == np.take_along_axis(distances, order, axis=1).tolist()


@pytest.mark.parametrize("block", [neighbours._BLOCK, 64])
def test_others_are_counted_as_all_pairs_are(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    known, asked = embeddings(50, 1).astype(np.float64), embeddings(80, 2)
    asked[:50:7] = known[:50:7]
    own = np.arange(80) % 50
    distances = all_pairs(asked, known)
    limits = np.sort(distances, axis=1)[np.arange(80), np.arange(80) % 7]  # equal to one of them
    limits[::9] = np.inf
    gallery = Gallery(known)
    found = gallery.others(asked, own, limits)
    distances[np.arange(80), own] = np.inf
    assert found.nearer.tolist() == ((distances <= limits[:, None]) & np.isfinite(distances)).sum(axis=1).tolist()
    assert found.distance.tolist() == distances.min(axis=1).tolist()
    assert found.which.tolist() == distances.argmin(axis=1).tolist()
    bins = np.bincount((distances[np.isfinite(distances)] / found.bin_width).astype(int), minlength=BINS + 1)
    assert np.abs(np.cumsum(found.counts - bins)).max() <= 2  # pairs within the rounding of an edge
    assert found.counts.sum() == 80 * 49


def test_every_distance_is_in_the_histogram() -> None:
    """Also of queries that are longer than the vectors, and those to their own template."""
    short, long = embeddings(20, 1).astype(np.float64) / 10, embeddings(30, 2)
    own = np.arange(30) % 20
    for scale, away in ((1, np.inf), (1, 7.0), (0.05, 0.0)):
        asked = long * np.float32(scale)
        found = Gallery(short).others(asked, own, np.full(30, away))
        farthest = max(all_pairs(asked, short).max(), away if np.isfinite(away) else 0)
        assert found.counts[BINS] == 0
        assert farthest < BINS * found.bin_width <= 4 * farthest


def test_one_vector_has_no_others() -> None:
    one = embeddings(1).astype(np.float64)
    found = Gallery(one).others(embeddings(3, 5), np.zeros(3, int), np.ones(3))
    assert (found.nearer.tolist(), found.counts.sum()) == ([0, 0, 0], 0)
    assert np.isinf(found.distance).all()


@pytest.mark.parametrize("dimension", [1, 128, 4096])
def test_the_grid_is_as_near_as_its_bound(dimension: int) -> None:
    known, asked = (faces(20, seed, dimension, 0.2) for seed in (1, 2))
    gallery = Gallery(known)
    away = np.abs(np.sqrt(gallery.squared(asked)) - all_pairs(asked, known.astype(np.float64)))
    assert away.max() <= gallery.error < 1e-3


def test_queries_that_the_grid_does_not_hold() -> None:
    known = embeddings(10).astype(np.float64)
    asked = embeddings(4, 3) * np.float32(1e6)
    assert Gallery(known).nearest(asked, 1).distances[:, 0].tolist() == all_pairs(asked, known).min(axis=1).tolist()
    nothing = Gallery(np.zeros((2, 128)))
    assert nothing.nearest(np.zeros((1, 128), np.float32), 2).distances.tolist() == [[0.0, 0.0]]
