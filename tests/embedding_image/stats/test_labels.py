"""Statistics of labels: as NumPy and fractions find them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from meanface.stats import labels
from meanface.stats.exact_sum import ExactSum
from meanface.stats.labels import balanced_mean, cluster_standard_error, label_statistics
from meanface.stats.moments import Moments
from synthetic import embeddings

Groups = dict[str, np.ndarray]


@pytest.fixture
def groups() -> Groups:
    """Labels of 1 to 12 faces, alike within a label."""
    random = np.random.default_rng(5)
    sizes = random.integers(1, 13, 20)
    own = random.normal(0, 0.1, (20, 128))
    return {
        f"person {n}": (embeddings(size, seed=n, spread=0.03) + own[n]).astype(np.float32)
        for n, size in enumerate(sizes)
    }


def sums(groups: Groups) -> dict[str, ExactSum]:
    return {label: ExactSum.of(rows) for label, rows in groups.items()}


def test_the_balanced_mean_is_exact_and_rounded_once(groups: Groups) -> None:
    exact = [
        sum((sum(map(Fraction, rows[:, i].tolist())) / len(rows) for rows in groups.values()), Fraction(0))
        / len(groups)
        for i in range(128)
    ]
    assert balanced_mean(sums(groups)).tolist() == [float(value) for value in exact]


def test_the_standard_error_by_label_is_numpys_cr1(groups: Groups) -> None:
    rows = np.concatenate(list(groups.values())).astype(float)
    mean = rows.mean(axis=0)
    scores = np.array([(group.astype(float) - mean).sum(axis=0) for group in groups.values()])
    cr0 = np.sqrt((scores**2).sum(axis=0)) / len(rows)
    cr1 = np.sqrt(len(groups) / (len(groups) - 1)) * cr0
    assert cluster_standard_error(sums(groups)) == pytest.approx(cr1, rel=1e-9)


def test_with_one_face_a_label_it_is_the_plain_standard_error() -> None:
    rows = embeddings(50)
    own = {str(number): ExactSum.of(row[None]) for number, row in enumerate(rows)}
    assert cluster_standard_error(own) == pytest.approx(Moments.of(rows).standard_error(), rel=1e-5)


def test_copies_of_every_face_change_the_plain_error_and_not_the_one_by_label() -> None:
    rows = embeddings(50)
    once = {str(number): ExactSum.of(row[None]) for number, row in enumerate(rows)}
    thrice = {label: each + each + each for label, each in once.items()}
    assert cluster_standard_error(thrice) == pytest.approx(cluster_standard_error(once), rel=1e-9)


def test_distances_and_pairs(groups: Groups) -> None:
    found = label_statistics(sums(groups))
    means = {label: rows.astype(float).mean(axis=0) for label, rows in groups.items()}
    balanced = np.mean(list(means.values()), axis=0)
    distances = {label: np.linalg.norm(mean - balanced) for label, mean in means.items()}
    assert found.labels == len(groups)
    assert found.largest == max(map(len, groups.values()))
    assert [row.label for row in found.nearest] == sorted(distances, key=distances.__getitem__)[: labels.SHOWN]
    assert [row.label for row in found.farthest] == sorted(distances, key=distances.__getitem__)[::-1][: labels.SHOWN]
    assert found.distance_quantiles["median"] == pytest.approx(np.median(list(distances.values())))
    plain = np.concatenate(list(groups.values())).astype(float).mean(axis=0)
    assert found.distance_to_mean == pytest.approx(np.linalg.norm(balanced - plain))
    assert found.closest_pairs is not None
    pairs = sorted(np.linalg.norm(means[a] - means[b]) for a in means for b in means if a < b)
    assert [pair.distance for pair in found.closest_pairs] == pytest.approx(pairs[: labels.SHOWN])


def test_one_label_has_no_error_by_label() -> None:
    found = label_statistics({"": ExactSum.of(embeddings(3))})
    assert (found.cluster_standard_error, found.distance_to_mean, found.closest_pairs) == (None, 0, [])
    with pytest.raises(ValueError, match="at least 2"):
        cluster_standard_error({"": ExactSum.of(embeddings(3))})


def test_too_many_labels_are_not_paired(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "PAIRED_LABELS", len(groups) - 1)
    assert label_statistics(sums(groups)).closest_pairs is None
