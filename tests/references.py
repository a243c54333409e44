"""The statistics of a finished run against NumPy's and SciPy's of the same embeddings, in float64, from its ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import trim_mean

from meanface.stats.chip_sum import ChipSum

Vectors = NDArray[np.float64]


def faces(output: Path) -> pa.Table:
    """The ledger's rows with an embedding, in the order of the photos."""
    tables = [pq.read_table(chunk) for chunk in sorted(output.glob("ledger/*/*/*.parquet"))]
    table = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    return table.filter(table["embedding"].is_valid())


def check_statistics(output: Path) -> None:
    """That all of them are the references', within the tolerances that the README states; of a run with labels."""
    result, table = json.loads((output / "result.json").read_text()), faces(output)
    found = result["statistics"]
    rows = np.stack(table["embedding"].to_numpy()).astype(np.float64)
    labels = np.array([label or "" for label in table["label"].to_pylist()])
    mean, count = rows.mean(axis=0), len(rows)
    assert result["mean"] == pytest.approx(mean, abs=1e-15)
    assert result["standard_error"] == pytest.approx(rows.std(axis=0, ddof=1) / np.sqrt(count), rel=1e-5)
    assert found["variances"] == pytest.approx(np.linalg.eigvalsh(np.cov(rows.T))[::-1], abs=5e-8)
    robust = found["robust"]
    assert (robust["faces"], robust["sample_step"]) == (count, 1)
    assert robust["trimmed_mean"]["value"] == pytest.approx(trim_mean(rows, robust["trimmed_fraction"]), abs=1e-15)
    median = robust["geometric_median"]
    assert median["converged"]
    assert np.linalg.norm(median["value"] - geometric_median(rows)) <= 1e-9
    assert median["distance_to_mean"] == pytest.approx(np.linalg.norm(median["value"] - mean), abs=1e-14)
    names = np.unique(labels)
    means = np.array([rows[labels == name].mean(axis=0) for name in names])
    assert found["labels"]["balanced_mean"] == pytest.approx(means.mean(axis=0), abs=1e-15)
    scores = np.array([(rows[labels == name] - mean).sum(axis=0) for name in names])
    cr1 = np.sqrt(len(names) / (len(names) - 1) * (scores**2).sum(axis=0)) / count
    assert found["labels"]["cluster_standard_error"] == pytest.approx(cr1, rel=1e-9)
    distances = np.linalg.norm(rows - mean, axis=1)
    assert found["distances"]["minimum"] == pytest.approx(distances.min(), abs=1e-14)
    assert found["distances"]["maximum"] == pytest.approx(distances.max(), abs=1e-14)


def geometric_median(rows: Vectors) -> Vectors:
    """By SciPy's Newton iteration in a trust region, on the mean of the distances, and one more Newton step.

    SciPy stops where a step improves the mean distance by less than its rounding; the gradient is not yet 0 there.
    """

    def mean_distance(point: Vectors) -> float:
        return float(np.linalg.norm(rows - point, axis=1).mean())

    def gradient(point: Vectors) -> Vectors:
        away = point - rows
        slope: Vectors = (away / np.linalg.norm(away, axis=1, keepdims=True)).mean(axis=0)
        return slope

    def hessian(point: Vectors) -> Vectors:
        away = point - rows
        distance = np.linalg.norm(away, axis=1)
        curved: Vectors = np.eye(rows.shape[1]) * (1 / distance).mean() - (
            away / distance[:, None] ** 3
        ).T @ away / len(rows)
        return curved

    start = rows.mean(axis=0)
    best = minimize(mean_distance, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-12})
    found: Vectors = best.x - np.linalg.solve(hessian(best.x), gradient(best.x))
    assert np.linalg.norm(gradient(found)) <= 1e-10  # nor is its error larger: the Hessian's eigenvalues are above 1
    return found


def chip_sum(output: Path) -> ChipSum:
    """The sum of a run's aligned faces over its partitions."""
    return sum((ChipSum.from_bytes(file.read_bytes()) for file in output.glob("chips/*/*")), ChipSum.zero())


def check_recognition(output: Path) -> None:
    """Leave-one-out figures are those of a plain computation in NumPy; of a run over all of whose faces they are."""
    result, table = json.loads((output / "result.json").read_text()), faces(output)
    found = result["statistics"]["recognition"]
    rows = np.stack(table["embedding"].to_numpy()).astype(np.float64)
    labels = np.array([label or "" for label in table["label"].to_pylist()])
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    known = counts[codes] > 1
    assert (found["labels"], found["sample_step"], found["faces"]) == (len(names), 1, known.sum())
    assert found["labels_with_one_face"] == (counts == 1).sum()
    for kind, template in (("mean", np.mean), ("trimmed", trimmed)):
        own, others = _distances(rows, codes, template)
        nearer = (others <= own[:, None]).sum(axis=1)
        figures = found[kind]
        assert figures["rank_1"]["value"] == (nearer[known] == 0).mean()
        assert figures["rank_5"]["value"] == (nearer[known] < 5).mean()
        pairs = others[np.isfinite(others)]
        checked = figures["verification"]
        assert (checked["genuine"], checked["impostor"]) == (known.sum(), len(pairs))
        threshold = checked["accept_threshold"]
        assert checked["false_accept_rate"] == pytest.approx((pairs < threshold).mean(), abs=2 / len(pairs))
        assert checked["false_accept_rate"] <= 1e-3
        assert checked["true_accept_rate"]["value"] == (own[known] < threshold).mean()
        false, missed = (
            (pairs < checked["equal_error_threshold"]).mean(),
            (own[known] >= checked["equal_error_threshold"]).mean(),
        )
        assert checked["equal_error_rate"] == pytest.approx((false + missed) / 2, abs=2 / len(pairs))
        assert abs(false - missed) <= 2 / known.sum()
        if kind == "mean":
            right = known & (nearer == 0)
            for choice in filter(None, (found["suggested"], found["customary"])):
                at = choice["threshold"]
                assert choice["named"]["value"] == (right & (own <= at))[known].mean()
                wrong = known & ~right & (others.min(axis=1) <= at)
                assert choice["misnamed"]["value"] == wrong[known].mean()
                assert choice["strangers_named"]["value"] == (others.min(axis=1) <= at).mean()
    pairwise = np.array([np.linalg.norm(rows - row, axis=1) for row in rows])
    np.fill_diagonal(pairwise, np.inf)
    same = codes[:, None] == codes
    by_photo = np.where(same, pairwise, np.inf).min(axis=1) < np.where(same, np.inf, pairwise).min(axis=1)
    assert found["photo"]["rank_1"]["value"] == by_photo[known].mean()


def trimmed(rows: Vectors, axis: int) -> Vectors:
    """The mean without the fifth of the rows farthest from their median."""
    away = np.linalg.norm(rows - np.median(rows, axis=axis), axis=1)
    cut = max(len(rows) // 5, 1) if len(rows) > 2 else 0
    kept: Vectors = rows[np.argsort(away, kind="stable")[: len(rows) - cut]].mean(axis=axis)
    return kept


def _distances(rows: Vectors, codes: NDArray[np.intp], template: Callable[..., Vectors]) -> tuple[Vectors, Vectors]:
    """Of each face to its own label's template without it, and to those of all other labels; infinite for none."""
    templates = np.array([template(rows[codes == code], axis=0) for code in range(codes.max() + 1)])
    others = np.array([np.linalg.norm(templates - row, axis=1) for row in rows])
    others[np.arange(len(rows)), codes] = np.inf
    own = np.full(len(rows), np.inf)
    for face, code in enumerate(codes):
        rest = rows[(codes == code) & (np.arange(len(rows)) != face)]
        if len(rest):
            own[face] = np.linalg.norm(rows[face] - template(rest, axis=0))
    return own, others
