"""Results to export: of the faces of a run, and of the same run after photos were added, changed and removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from meanface.results.reader import Result
from synthetic import embeddings, run_on, write

LABELS = 7
FACES = 90


def result_of(folder: Path, rows: dict[str, np.ndarray]) -> Result:
    """The result of a run over photos, each with its faces."""
    photos = write(folder / "photos", rows)
    run_on(photos, folder / "out", labels="parent_folder", faces="all", partition_size=40)
    return Result.at(str(folder / "out"))


def photos() -> dict[str, np.ndarray]:
    """The faces of each photo; every ninth has two, and the first none."""
    vectors = embeddings(2 * FACES, 5).reshape(FACES, 2, -1)
    rows = {f"{n % LABELS}/{n:03}.jpg": vectors[n][: 1 + (n % 9 == 8)] for n in range(1, FACES - 1)}
    return {"0/000.jpg": vectors[0][:0], **rows}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return result_of(tmp_path_factory.mktemp("first"), photos())


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One photo is gone, one has another face, and two are new."""
    rows = photos()
    del rows["1/001.jpg"]
    rows["2/002.jpg"] = embeddings(1, 77)
    rows |= {"3/new.jpg": embeddings(1, 78), "eve/new.jpg": embeddings(1, 79)}
    return result_of(tmp_path_factory.mktemp("later"), rows)


@pytest.fixture
def other_recipe() -> Callable[[Result], Result]:
    """Makes a result one of another recipe."""
    return lambda result: replace(result, summary=result.summary.model_copy(update={"recipe": "0" * 64}))


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("unlabelled")
    run_on(write(folder / "photos", photos()), folder / "out", faces="all")
    return Result.at(str(folder / "out"))
