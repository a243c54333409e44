"""Intervals of fractions by label: as wide as simulations say, and Wilson's where faces are independent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from meanface.stats.intervals import difference, rate


@pytest.mark.parametrize(("right", "count"), [(0, 40), (3, 40), (20, 40), (40, 40)])
def test_one_face_a_label_has_wilsons_interval(right: int, count: int) -> None:
    """But for the correction G / (G - 1)."""
    found = rate(np.arange(count) < right, np.arange(count))
    interval = binomtest(right, count).proportion_ci(method="wilson")
    assert (found.value, found.faces) == (right / count, count)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.005)


def test_copies_of_faces_in_their_labels_do_not_narrow_the_interval() -> None:
    random = np.random.default_rng(1)
    marks, labels = random.random(200) < 0.8, np.arange(200)
    once, often = rate(marks, labels), rate(np.tile(marks, 50), np.tile(labels, 50))
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high), abs=0.002)
    independent = rate(np.tile(marks, 50), np.arange(10_000))
    assert independent.high - independent.low < 0.2 * (often.high - often.low)


def test_the_interval_has_the_fraction_in_nineteen_of_twenty_cases() -> None:
    """Labels of 1 to 40 faces, each with a fraction of its own, whose mean is 0.8."""
    random, inside = np.random.default_rng(2), 0
    for _ in range(500):
        sizes = random.integers(1, 41, 60)
        labels = np.repeat(np.arange(60), sizes)
        fractions = random.beta(8, 2, 60)
        found = rate(random.random(len(labels)) < fractions[labels], labels)
        inside += found.low <= 0.8 <= found.high
    assert 0.92 <= inside / 500 <= 0.98


def test_the_difference_is_that_of_the_same_faces() -> None:
    random = np.random.default_rng(3)
    labels = np.repeat(np.arange(100), 5)
    marks = random.random(500) < 0.9
    others = marks & (random.random(500) < 0.95)
    found = difference(marks, others, labels)
    assert found.value == pytest.approx(marks.mean() - others.mean())
    assert found.low < found.value < found.high
    same = difference(marks, marks, labels)
    assert (same.low, same.value, same.high) == (0, 0, 0)
    assert found.high - found.low < rate(marks, labels).high - rate(marks, labels).low


def test_one_label_says_nothing() -> None:
    found = rate(np.ones(30, bool), np.zeros(30, int))
    assert found.high - found.low > 0.5
