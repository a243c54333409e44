"""The difference of two means: its probability under equal means is one, and it finds what is there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2

from meanface.difference import FEWEST, LEVEL, difference, tail
from meanface.moments import Moments
from synthetic import embeddings


@pytest.mark.parametrize("freedom", [1, 5, 128])
@pytest.mark.parametrize("p", [0.5, 0.05, 0.01])
def test_equal_weights_are_a_chi_squared(freedom: int, p: float) -> None:
    """Within four standard errors of the simulation."""
    found = tail(np.full(freedom, 0.3), 0.3 * chi2.isf(p, freedom))
    assert found == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 200_000))


@pytest.mark.parametrize("factor", [0.8, 1.2, 1.6])
def test_any_weights_are_imhofs_integral(factor: float) -> None:
    """Imhof (1961, Biometrika 48:419) inverts the characteristic function; an independent way to the same number."""
    weights = np.linspace(2, 0.1, 40) ** 2
    x = factor * weights.sum()

    def integrand(u: float) -> float:
        angle = 0.5 * np.arctan(weights * u).sum() - 0.5 * x * u
        return float(np.sin(angle) / (u * np.prod((1 + (weights * u) ** 2) ** 0.25)))

    exact = 0.5 + quad(integrand, 0, 20, limit=400)[0] / np.pi
    assert tail(weights, x) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 200_000))


def p_values(shift: float, experiments: int = 300, faces: tuple[int, int] = (60, 150)) -> np.ndarray:
    """Of two samples with different, skewed distributions, whose means are `shift` times the noise apart."""
    random = np.random.default_rng(11)
    scales = 0.06 * np.linspace(1.5, 0.1, 32), 0.03 * np.linspace(0.5, 2, 32)
    noise = np.sqrt(sum((scale**2).sum() / count for scale, count in zip(scales, faces, strict=True)))
    found = []
    for _ in range(experiments):
        a, b = ((random.exponential(1, (count, 32)) - 1) * scale for count, scale in zip(faces, scales, strict=True))
        a[:, 0] += shift * noise
        weights = np.linalg.eigvalsh(np.cov(a.T) / len(a) + np.cov(b.T) / len(b))
        away = a.mean(axis=0) - b.mean(axis=0)
        found.append(tail(np.maximum(weights, 0), float(away @ away), draws=2000))
    return np.array(found)


def test_level() -> None:
    """Under equal means, p is below 0.05 in about one experiment of 20: between 4 and 28 of 300 (99.9 %)."""
    p = p_values(shift=0)
    assert 4 <= np.count_nonzero(p <= 0.05) <= 28
    assert 110 <= np.count_nonzero(p <= 0.5) <= 190


def test_power() -> None:
    assert np.mean(p_values(shift=3, experiments=100) <= 0.01) >= 0.99


def test_two_halves_of_one_collection_are_within_noise_and_shifted_ones_are_not() -> None:
    rows = embeddings(400)
    a, b = Moments.of(rows[:200]), Moments.of(rows[200:])
    found = difference(a, b)
    assert found.beyond_noise is False
    means = rows[:200].astype(float).mean(axis=0), rows[200:].astype(float).mean(axis=0)
    assert found.distance == pytest.approx(np.linalg.norm(means[0] - means[1]))
    assert found.largest == pytest.approx(np.abs(means[0] - means[1]).max())
    assert found.component == np.argmax(np.abs(means[0] - means[1]))
    assert found.cosine == pytest.approx(means[0] @ means[1] / np.linalg.norm(means[0]) / np.linalg.norm(means[1]))
    shifted = difference(a, Moments.of(rows[200:] + np.float32(0.02)))
    assert shifted.p is not None
    assert shifted.p < LEVEL
    assert shifted.beyond_noise


def test_it_is_the_same_both_ways_and_again() -> None:
    a, b = Moments.of(embeddings(80, 1)), Moments.of(embeddings(50, 2))
    assert difference(a, b) == difference(a, b) == difference(b, a)


def test_few_faces_allow_no_statement() -> None:
    few, many = Moments.of(embeddings(FEWEST - 1)), Moments.of(embeddings(100))
    found = difference(few, many)
    assert (found.p, found.beyond_noise, found.expected) == (None, None, None)
    assert found.why_no_p is not None
    assert str(FEWEST) in found.why_no_p


def test_faces_that_do_not_vary_allow_no_statement() -> None:
    same = Moments.of(np.repeat(embeddings(1), 40, axis=0))
    other = Moments.of(np.repeat(embeddings(1, 7), 40, axis=0))
    assert difference(same, other).why_no_p == "neither side varies"
