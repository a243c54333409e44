"""The difference of two means: p is a probability under equal means, and real differences are found."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import chi2, f

from meanface.stats.labels import LabelMeans
from meanface.stats.moments import Moments
from meanface.stats.two_sample import FEWEST, LEVEL, Side, difference, tail
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


@pytest.mark.parametrize(("directions", "freedom"), [(1, 4.5), (1, 29), (8, 60)])
@pytest.mark.parametrize("p", [0.5, 0.01, 0.001])
def test_equal_weights_over_an_estimated_scale_are_an_f(directions: int, freedom: float, p: float) -> None:
    found = tail(np.full(directions, 0.3), 0.3 * directions * f.isf(p, directions, freedom), freedom)
    assert found == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 200_000))


def in_128(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Embeddings that vary in their first components only."""
    return np.pad(rows, ((0, 0), (0, 128 - rows.shape[1]))).astype(np.float32)


def significant_outcomes(
    faces: tuple[int, int], scales: tuple[list[float], list[float]], likely: float, experiments: int = 20_000
) -> int:
    """How many experiments under equal means are called significant.

    Only those whose T is at least `likely` times the trace of its covariance are looked at: at so small a ratio no p is
    near `LEVEL`.
    """
    random = np.random.default_rng(17)
    sides = [
        np.float32(random.standard_normal((experiments, count, len(scale))) * scale)
        for count, scale in zip(faces, scales, strict=True)
    ]
    away = sides[0].mean(axis=1, dtype=float) - sides[1].mean(axis=1, dtype=float)
    trace = sum(rows.var(axis=1, ddof=1, dtype=float).sum(axis=1) / rows.shape[1] for rows in sides)
    looked_at = np.flatnonzero((away**2).sum(axis=1) >= likely * trace)
    assert len(looked_at) > 0.002 * experiments
    called = 0
    for at in looked_at:
        found = difference(*(Side(Moments.of(in_128(rows[at]))) for rows in sides))
        assert found.expected == pytest.approx(np.sqrt(trace[at]), rel=1e-4)
        called += found.significant is True
    return called


@pytest.mark.long
@pytest.mark.parametrize(
    ("faces", "scales", "likely"),
    [
        ((FEWEST, 60), ([0.1], [0.001]), 9),  # one direction, and only the side with the fewest faces varies
        ((FEWEST, 90), ([0.1, 0.01, 0.01], [0.01, 0.1, 0.01]), 7),  # covariances that are not alike
    ],
)
def test_level(faces: tuple[int, int], scales: tuple[list[float], list[float]], likely: float) -> None:
    """Of 20,000 experiments under equal means, 20 are called significant, give or take three standard errors.

    An S that is taken for the true one would call some 50; with the divisors swapped, nearly all that are looked at.
    """
    assert 7 <= significant_outcomes(faces, scales, likely) <= 33


def by_label(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> Side:
    names = sorted(set(labels.tolist()))
    groups = [rows[labels == name].astype(float) for name in names]
    means = np.array([group.mean(axis=0) for group in groups])
    return Side(Moments.of(rows), LabelMeans([f"{n:04}" for n in names], np.array(list(map(len, groups))), means))


def people(sizes: list[int], first: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Faces of people, and the person of each: faces of one person are alike."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    own = random.standard_normal((len(sizes), 3))
    return in_128(0.1 * own[labels] + 0.05 * random.standard_normal((len(labels), 3))), labels + first


@pytest.mark.long
def test_level_by_label() -> None:
    """Of 40 experiments under equal means at most 7 have p below 0.05 (99.9 %); with faces as draws, half have."""
    faces, labels = 0, 0
    for seed in range(40):
        a = by_label(*people([30, 20, *[5] * 10, *[2] * 40], first=0, seed=seed))
        b = by_label(*people([5] * 40, first=1000, seed=1000 + seed))
        faces += difference(Side(a.moments), Side(b.moments)).p < 0.05
        labels += difference(a, b).p < 0.05
    assert labels <= 7
    assert faces >= 20


def test_noise_by_label_is_that_of_a_regression_with_clusters() -> None:
    """Of a constant and an indicator of the side, on all faces, where labels span both sides: CR1 by least squares."""
    (a, of_a), (b, of_b) = people([2] * 20 + [5] * 15, first=0, seed=1), people([4] * 30 + [1] * 5, first=0, seed=2)
    b = (b + 0.5 * a[np.searchsorted(of_a, of_b)]).astype(np.float32)
    rows, labels = np.concatenate([a, b]).astype(float), np.concatenate([of_a, of_b])
    design = np.stack([np.ones(len(rows)), np.arange(len(rows)) < len(a)], axis=1)
    fitted = np.linalg.lstsq(design, rows, rcond=None)[0]
    residuals = rows - design @ fitted
    inverse = np.linalg.inv(design.T @ design)
    scores = [(inverse @ design[labels == label].T @ residuals[labels == label])[1] for label in range(35)]
    variance = 35 / 34 * (np.array(scores) ** 2).sum()
    found = difference(by_label(a, of_a), by_label(b, of_b))
    assert found.expected == pytest.approx(np.sqrt(variance), rel=1e-6)
    assert (found.labels, found.shared_labels) == ((35, 35), 35)
    apart = difference(by_label(a, of_a), by_label(b, of_b + 100))
    assert apart.shared_labels == 0
    assert apart.expected > 1.1 * found.expected


@pytest.mark.long
def test_one_face_a_label_is_as_good_as_faces() -> None:
    a, b = embeddings(100, 1), embeddings(80, 2)
    faces = difference(Side(Moments.of(a)), Side(Moments.of(b)))
    for sides in (
        (by_label(a, np.arange(100)), by_label(b, np.arange(80) + 1000)),
        (by_label(a, np.arange(100)), Side(Moments.of(b))),
        (Side(Moments.of(a)), by_label(b, np.arange(80))),
    ):
        labels = difference(*sides)
        assert labels.expected == pytest.approx(faces.expected, rel=1e-6)
        assert labels.p == pytest.approx(faces.p, abs=0.01)
        assert labels.labels == tuple(None if side.labels is None else side.moments.count for side in sides)


@pytest.mark.long
def test_copies_of_every_face_change_the_noise_of_faces_and_not_that_of_labels() -> None:
    a, b = embeddings(60, 1), embeddings(60, 2)
    once = difference(by_label(a, np.arange(60)), by_label(b, np.arange(60) + 1000))
    copied = np.repeat(a, 4, axis=0), np.repeat(b, 4, axis=0)
    ours = difference(*(by_label(rows, np.repeat(np.arange(60), 4) + 1000 * n) for n, rows in enumerate(copied)))
    assert ours.expected == pytest.approx(once.expected, rel=1e-6)
    assert ours.p == pytest.approx(once.p, abs=0.01)
    assert difference(*(Side(Moments.of(rows)) for rows in copied)).expected < 0.6 * once.expected


def test_power() -> None:
    """Three times as far apart as noise would do on average."""
    random = np.random.default_rng(11)
    scales = 0.06 * np.linspace(1.5, 0.1, 32), 0.03 * np.linspace(0.5, 2, 32)
    noise = np.sqrt(sum((scale**2).sum() / count for scale, count in zip(scales, (60, 150), strict=True)))
    a, b = ((random.exponential(1, (n, 32)) - 1) * scale for n, scale in zip((60, 150), scales, strict=True))
    a[:, 0] += 3 * noise
    assert difference(Side(Moments.of(in_128(a))), Side(Moments.of(in_128(b)))).significant


def test_two_halves_of_one_collection_do_not_differ_significantly_and_shifted_ones_do() -> None:
    rows = embeddings(400)
    a, b = Side(Moments.of(rows[:200])), Side(Moments.of(rows[200:]))
    found = difference(a, b)
    assert found.significant is False
    means = rows[:200].astype(float).mean(axis=0), rows[200:].astype(float).mean(axis=0)
    assert found.distance == pytest.approx(np.linalg.norm(means[0] - means[1]))
    assert found.largest == pytest.approx(np.abs(means[0] - means[1]).max())
    assert found.component == np.argmax(np.abs(means[0] - means[1]))
    assert found.cosine == pytest.approx(means[0] @ means[1] / np.linalg.norm(means[0]) / np.linalg.norm(means[1]))
    shifted = difference(a, Side(Moments.of(rows[200:] + np.float32(0.02))))
    assert shifted.p is not None
    assert shifted.p < LEVEL
    assert shifted.significant


def test_it_is_symmetric_and_reproducible() -> None:
    a, b = Side(Moments.of(embeddings(80, 1))), Side(Moments.of(embeddings(50, 2)))
    assert difference(a, b) == difference(a, b) == difference(b, a)
    a, b = by_label(*people([2] * 40, first=0, seed=1)), by_label(*people([3] * 40, first=20, seed=2))
    assert difference(a, b) == difference(a, b) == difference(b, a)


def test_few_faces_allow_no_conclusion() -> None:
    few, many = Side(Moments.of(embeddings(FEWEST - 1))), Side(Moments.of(embeddings(100)))
    found = difference(few, many)
    assert (found.p, found.significant, found.expected) == (None, None, None)
    assert found.why_no_p is not None
    assert found.why_no_p.startswith(f"{FEWEST - 1} faces on side A")
    few_labels = by_label(embeddings(100), np.arange(100) % 3)
    assert str(difference(many, few_labels).why_no_p).startswith("3 labels on side B")


def test_equal_faces_allow_no_conclusion() -> None:
    same, other = (np.repeat(embeddings(1, seed), 40, axis=0) for seed in (0, 7))
    assert difference(Side(Moments.of(same)), Side(Moments.of(other))).why_no_p == "neither side varies"
    labels = np.arange(40)
    assert difference(by_label(same, labels), by_label(other, labels)).why_no_p == "neither side varies"
