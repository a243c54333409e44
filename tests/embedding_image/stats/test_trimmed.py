"""The metrically trimmed mean: any order gives the same bits, and a wrong face does not move it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.stats.trimmed import LeaveOneOut, left_out, metrically_trimmed_mean
from synthetic import embeddings


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_the_order_of_the_faces_does_not_matter(count: int, seed: int) -> None:
    rows = embeddings(count, seed)
    rows[1:] = np.where(np.arange(1, count)[:, None] % 3 == 0, rows[0], rows[1:])  # equal ones, equally far
    shuffled = np.random.default_rng(seed).permutation(rows)
    assert metrically_trimmed_mean(rows).tobytes() == metrically_trimmed_mean(shuffled).tobytes()


@given(st.integers(1, 60), st.integers(0, 99))
def test_it_is_the_mean_of_the_faces_near_the_median(count: int, seed: int) -> None:
    rows = embeddings(count, seed).astype(np.float64)
    away = np.linalg.norm(rows - np.median(rows, axis=0), axis=1)
    kept = np.argsort(away)[: count - left_out(count)]
    expected = rows[kept].mean(axis=0)
    assert metrically_trimmed_mean(rows.astype(np.float32)) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("count", [3, 4, 10, 50])
def test_one_wrong_face_is_left_out_and_moves_the_mean(count: int) -> None:
    person = embeddings(count - 1, 1, spread=0.02)
    wrong, worse = (np.concatenate([person, person[:1] + np.float32(away)]) for away in (0.08, 5))
    right = person.astype(float).mean(axis=0)
    moved, trimmed = wrong.astype(float).mean(axis=0), metrically_trimmed_mean(wrong)
    assert np.linalg.norm(trimmed - right) < np.linalg.norm(moved - right)
    assert metrically_trimmed_mean(worse).tolist() == trimmed.tolist()


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 11, 40])
def test_each_face_is_left_out_as_if_it_were_not_there(count: int) -> None:
    rows = embeddings(count, count)
    rows[count // 2] = rows[0]
    without = LeaveOneOut(rows)
    for row in range(count):
        expected = metrically_trimmed_mean(np.delete(rows, row, axis=0))
        assert without.without(row) == pytest.approx(expected, abs=1e-15)
