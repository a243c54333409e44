"""The statistics of a real run: those of the built-in sample's embeddings, as NumPy and SciPy find them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from meanface.dataset import SAMPLE
from meanface.results.result import ResultRecord
from references import check_statistics, chip_sum, faces


@pytest.fixture(scope="module")
def output(run_on: Callable[..., ResultRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    run_on(SAMPLE, folder, faces="all", labels="parent_folder")
    return folder


def test_statistics_are_numpys_and_scipys(output: Path) -> None:
    assert len(faces(output)) == 6
    check_statistics(output)


def test_the_sum_of_the_aligned_faces_is_the_same_in_any_partitions(
    output: Path, run_on: Callable[..., ResultRecord], tmp_path: Path
) -> None:
    run_on(SAMPLE, tmp_path, faces="all", labels="parent_folder", partition_size=2)
    assert len(list(tmp_path.glob("chips/*/*"))) > 1
    assert chip_sum(tmp_path) == chip_sum(output)
    assert (tmp_path / "mean_face.png").read_bytes() == (output / "mean_face.png").read_bytes()
