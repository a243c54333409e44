"""Robust centres: as SciPy finds them, the same bits in any order, and hardly moved by outliers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import trim_mean

from meanface.stats.robust import geometric_median, trimmed_mean
from synthetic import embeddings


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 500, 5000])
def test_the_trimmed_mean_is_scipys(count: int) -> None:
    rows = embeddings(count, seed=count)
    assert trimmed_mean(rows) == pytest.approx(trim_mean(rows.astype(float), 0.1), abs=1e-15)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_does_not_matter_to_the_trimmed_mean(count: int, seed: int) -> None:
    rows = embeddings(count, seed)
    shuffled = np.random.default_rng(seed).permutation(rows)
    assert trimmed_mean(rows).tobytes() == trimmed_mean(shuffled).tobytes()


def test_nothing_left_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is left"):
        trimmed_mean(embeddings(4), 0.5)


@pytest.mark.parametrize("count", [3, 10, 400])
def test_the_geometric_median_is_the_least_sum_of_distances(count: int) -> None:
    """BFGS on the sum of distances finds the same point, within 1e-5; its own gradient ends near 1e-8 a face."""
    rows = embeddings(count, seed=count).astype(float)

    def total(point: np.ndarray) -> float:
        return float(np.linalg.norm(rows - point, axis=1).sum())

    def slope(point: np.ndarray) -> np.ndarray:
        away = point - rows
        return (away / np.linalg.norm(away, axis=1, keepdims=True)).sum(axis=0)

    found = geometric_median(rows.astype(np.float32), rows.mean(axis=0))
    assert found.converged
    best = minimize(total, rows.mean(axis=0), jac=slope, method="BFGS", options={"gtol": 1e-8 * count})
    assert found.point == pytest.approx(best.x, abs=1e-5)
    assert total(found.point) <= best.fun + 1e-9


def test_a_point_that_is_hit_exactly_is_left_unless_it_is_the_median() -> None:
    """Vardi and Zhang's rule, started on an embedding of its own."""
    corner = np.zeros((5, 128), np.float32)
    corner[1:, 0] = [1, 1.1, 1.2, 1.3]  # on a line, the median is the middle one
    found = geometric_median(corner, corner[0].astype(float))
    assert found.converged
    assert found.point[0] == pytest.approx(1.1, abs=1e-6)
    heavy = np.concatenate([np.zeros((6, 128), np.float32), corner[1:]])
    assert (geometric_median(heavy, heavy[0].astype(float)).point == 0).all()


def test_outliers_move_it_little() -> None:
    rows = embeddings(200)
    wild = rows.copy()
    wild[:10] += 50
    clean = geometric_median(rows, rows.mean(axis=0)).point
    for centre in (geometric_median(wild, wild.mean(axis=0)).point, trimmed_mean(wild)):
        assert np.linalg.norm(centre - clean) < 0.1
    assert np.linalg.norm(wild.mean(axis=0) - clean) > 20


def test_one_face_is_its_own_centre() -> None:
    face = embeddings(1)
    found = geometric_median(face, face[0].astype(float))
    assert found.converged
    assert (found.point == face[0]).all()
    assert (trimmed_mean(face) == face[0]).all()


def test_one_machine_gives_the_same_bits_again() -> None:
    rows = embeddings(5000)
    points = {geometric_median(rows, rows.mean(axis=0, dtype=float)).point.tobytes() for _ in range(2)}
    assert len(points) == 1
