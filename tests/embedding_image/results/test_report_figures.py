"""The figures in the report are those of `result.json`, to the displayed digits."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from reportpage import Page
from synthetic import embeddings, run_on, write

PEOPLE = 12


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, dict[str, Any]]:
    """A run of labels of several sizes, with copies, faces that are all but equal, and broken photos."""
    folder = tmp_path_factory.mktemp("figures")
    rows = embeddings(130)
    own = embeddings(PEOPLE, seed=3)
    label = [n % PEOPLE if n < 100 else 0 for n in range(130)]
    photos = write(
        folder / "photos",
        {f"person {who}/{n:03}.jpg": (rows[n] + own[who]) / 2 for n, who in enumerate(label)},
    )
    write(photos, {f"copies/{n}.jpg": rows[0] for n in range(3)} | {"copies/near.jpg": rows[0] + np.float32(1e-3)})
    write(photos, {f"broken/{n}.jpg": b"<b>" + bytes(n) for n in range(4)})
    run_on(photos, folder / "out", labels="parent_folder", partition_size=40)
    page = Page((folder / "out" / "report.html").read_text())
    return page, json.loads((folder / "out" / "result.json").read_text())


def body(page: Page, name: str) -> list[list[str]]:
    """A table without its heads."""
    return [[cell.strip() for cell in row] for row in page.tables[name][1:]]


def digits(number: float) -> str:
    """Four significant ones."""
    return f"{number:.{3 - math.floor(math.log10(number))}f}"


def test_components(summary: tuple[Page, dict[str, Any]]) -> None:
    page, result = summary
    columns = result["mean"], result["standard_error"], result["statistics"]["labels"]["cluster_standard_error"]
    shown = [[str(at), *(f"{value:.8f}" for value in row)] for at, row in enumerate(zip(*columns, strict=True))]
    assert body(page, "Components of the mean") == shown
    assert "use the error with independent labels" in page.words
    assert f"The norm of the mean is {math.hypot(*result['mean']):.6f}" in page.words


def test_outcomes(summary: tuple[Page, dict[str, Any]]) -> None:
    page, result = summary
    shown = {row[0]: int(row[1]) for row in body(page, "What became of the photos")}
    assert shown == {name: count for name, count in result["outcomes"].items() if count}
    assert shown == {"ok": 134, "undecodable": 4}


def test_labels(summary: tuple[Page, dict[str, Any]]) -> None:
    page, result = summary
    labels = result["statistics"]["labels"]
    quantiles = page.tables["Distances of the labels' means to the balanced mean"]
    assert dict(zip(*quantiles, strict=True)) == {
        name: f"{value:.3f}" for name, value in labels["distance_quantiles"].items()
    }
    for name, kind in (("Nearest to the balanced mean", "nearest"), ("Farthest from it", "farthest")):
        rows = [[row["label"], str(row["faces"]), f"{row['distance']:.3f}"] for row in labels[kind]]
        assert body(page, name) == rows
    pairs = [[f"{pair['distance']:.3f}", *pair["labels"]] for pair in labels["closest_pairs"]]
    assert body(page, "Labels whose means are closest") == pairs
    assert f"{PEOPLE + 1} labels; the one with most has {labels['largest']} faces" in page.words
    assert f"{digits(labels['distance_to_mean'])} from the plain mean" in page.words


def test_robust_centres(summary: tuple[Page, dict[str, Any]]) -> None:
    page, result = summary
    robust, labels = result["statistics"]["robust"], result["statistics"]["labels"]
    shown = [row[-1] for row in body(page, "Robust alternatives: distance of each to the mean")]
    assert shown == [
        digits(number)
        for number in (
            robust["trimmed_mean"]["distance_to_mean"],
            robust["geometric_median"]["distance_to_mean"],
            labels["distance_to_mean"],
            math.hypot(*result["standard_error"]),
            math.hypot(*labels["cluster_standard_error"]),
        )
    ]
    assert f"geometric median are of {robust['faces']} faces" in page.words
    assert f"{robust['geometric_median']['iterations']} iterations of Weiszfeld" in page.words


def test_duplicates(summary: tuple[Page, dict[str, Any]]) -> None:
    page, result = summary
    found = result["statistics"]["duplicates"]
    identical = [[str(group["count"]), "".join(group["photos"])] for group in found["identical"]]
    assert body(page, "Photos with identical bytes") == identical
    assert identical[0][0] == "3"
    close = [[f"{pair['distance']:.4f}", *pair["photos"]] for pair in found["close"]]
    assert body(page, "Pairs of almost equal faces") == close
    assert len(close) == found["close_pairs"]
    assert f"{found['identical_photos']} photos in {found['identical_groups']} group" in page.words
    assert f"among {found['faces_compared']} faces" in page.words


def test_distances_and_variances(summary: tuple[Page, dict[str, Any]]) -> None:
    page, result = summary
    distances, variances = result["statistics"]["distances"], np.array(result["statistics"]["variances"])
    for name, kind in (("Faces nearest to the mean", "nearest"), ("Faces farthest from the mean", "farthest")):
        assert body(page, name) == [[face["photo"], f"{face['distance']:.4f}"] for face in distances[kind]]
    assert f"from {distances['minimum']:.3f} to {distances['maximum']:.3f}" in page.words
    assert f"all components together is {digits(variances.sum())}" in page.words
    assert f"{100 * variances[0] / variances.sum():.1f} % of it" in page.words
    assert f"as many as {variances.sum() ** 2 / (variances**2).sum():.1f} equal directions" in page.words
