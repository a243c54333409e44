"""The statistics of a finished run against NumPy's and SciPy's of the same embeddings, in float64, from its ledger."""

from __future__ import annotations

import json
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
