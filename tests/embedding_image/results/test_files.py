"""docs/results.md: every file, column and array of a result is in it, and each of its lines of Python works."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from meanface.ledger.manifest import Manifest
from meanface.results.result import ResultRecord
from meanface.results.templates import columns

DOCUMENT = (Path(__file__).parents[3] / "docs" / "results.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


def rows(section: str) -> list[list[str]]:
    """The table of a section, without its head."""
    lines = DOCUMENT.split(f"## {section}\n")[1].split("\n## ")[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][1:]


LINES = re.findall(r"^\| .* \| `([^`]*\(.*)` \|$", DOCUMENT, re.MULTILINE)


@pytest.fixture(scope="module")
def run_folder(
    run_on: Callable[..., ResultRecord], portrait_files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with photos of two labels, of which one is broken, and their results."""
    folder = tmp_path_factory.mktemp("results")
    for label, file in (("hopper", portrait_files[0]), ("collins", portrait_files[1])):
        (folder / "photos" / label).mkdir(parents=True)
        (folder / "photos" / label / f"a{file.suffix}").write_bytes(file.read_bytes())
    (folder / "photos" / "collins" / "broken.jpg").write_bytes(b"no photo")
    run_on(folder / "photos", folder / "RESULTS", labels="parent_folder", partition_size=2)
    return folder


@pytest.fixture
def names() -> dict[str, Any]:
    """Those of the first block."""
    space: dict[str, Any] = {}
    exec(BLOCKS[0], space)
    return space


@pytest.fixture
def inside(run_folder: Path) -> Any:
    with contextlib.chdir(run_folder):
        yield run_folder


def test_every_file_has_a_row(run_folder: Path) -> None:
    there = {path.name + "/" * path.is_dir() for path in (run_folder / "RESULTS").iterdir()}
    named = {name for first, *_ in rows("Files") for name in re.findall(r"`([^`]+)`", first)}
    assert there == named


def test_every_field_of_the_result_has_a_row(run_folder: Path) -> None:
    named = {name for first, *_ in rows("result.json") for name in re.findall(r"`([^`]+)`", first)}
    assert set(json.loads((run_folder / "RESULTS" / "result.json").read_text())) == named


def test_every_outcome_has_a_row(run_folder: Path) -> None:
    outcomes = json.loads((run_folder / "RESULTS" / "result.json").read_text())["outcomes"]
    assert [name.strip("`") for name, _ in rows("Outcomes")] == list(outcomes)


def test_every_column_of_the_ledger_has_a_row(run_folder: Path) -> None:
    columns = pq.read_schema(min((run_folder / "RESULTS" / "ledger").rglob("*.parquet")))
    assert [(name.strip("`"), kind) for name, kind, _ in rows("The ledger")] == [
        (one.name, str(one.type)) for one in columns
    ]


def test_every_array_has_a_row(inside: Path) -> None:
    with np.load("RESULTS/moments.npz") as arrays:
        there = {name: f"{array.dtype} {array.shape}" for name, array in arrays.items()}
    there["exact"] = "uint8 (bytes)"
    assert {name.strip("`"): kind for name, kind, *_ in rows("moments.npz")} == there


def test_columns_of_the_other_tables_are_named(inside: Path) -> None:
    named = {first: re.findall(r"`(\w+)`", what) for first, what, *_ in rows("Files")}
    assert named["`failures.csv`"] == list(pd.read_csv("RESULTS/failures.csv"))
    assert [(name.strip("`"), kind) for name, kind, _ in rows("Templates")] == [
        (one.name, str(one.type)) for one in pq.read_schema("RESULTS/label_means.parquet")
    ]
    assert columns(128).names == list(pd.read_parquet("RESULTS/label_means.parquet"))
    assert named["`manifest/`"] == list(pd.read_parquet("RESULTS/manifest"))


@pytest.mark.parametrize("line", LINES)
def test_each_line_reads_its_file(line: str, inside: Path, names: dict[str, Any]) -> None:
    found = eval(line, names)
    with contextlib.closing(found) if isinstance(found, np.lib.npyio.NpzFile) else contextlib.nullcontext():
        assert np.size(list(found) if isinstance(found, dict | pd.DataFrame) else found) > 0


def test_there_is_a_line_for_every_file_with_content() -> None:
    assert len(LINES) == 14


def test_pandas_polars_and_duckdb_read_the_embeddings_of_the_mean(inside: Path, names: dict[str, Any]) -> None:
    blocks = [block for block in BLOCKS if "embeddings =" in block]
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
        assert len(names["ledger"]) == 3
        assert names["embeddings"].shape == (2, 128)
        np.testing.assert_allclose(names["embeddings"].mean(axis=0), np.load("RESULTS/mean.npy"), atol=1e-7)


def test_nearest_faces_and_outcomes_by_label(inside: Path, names: dict[str, Any]) -> None:
    nearest, outcomes = (next(block for block in BLOCKS if word in block) for word in ("nearest =", "outcomes ="))
    exec(nearest, names)
    exec(outcomes, names)
    assert sorted(names["nearest"]["photo"]) == ["collins/a.png", "hopper/a.jpg"]
    assert names["nearest"]["distance"].is_monotonic_increasing
    assert set(names["outcomes"].rows()) == {
        ("collins", "ok", 1), ("collins", "undecodable", 1), ("hopper", "ok", 1)
    }  # fmt: skip
    assert isinstance(names["photos"], pl.DataFrame)


def test_the_faq_finds_a_photo(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of docs/faq.md by which people look for a photo that was not counted."""
    documents = next(parent / "docs" for parent in Path(__file__).parents if (parent / "docs").is_dir())
    (block,) = re.findall(r"```python\n(.*?)```", (documents / "faq.md").read_text(), re.DOTALL)
    exec(block.replace("IMG_1234", "broken"), {})
    assert "collins/broken.jpg  undecodable" in capsys.readouterr().out


def test_exact_sums_are_added(inside: Path, names: dict[str, Any]) -> None:
    exec(BLOCKS[-1], names)
    np.testing.assert_array_equal(names["both"], np.load("RESULTS/mean.npy"))


def test_the_result_has_the_ledgers_location(inside: Path) -> None:
    result = json.loads(Path("RESULTS/result.json").read_text())
    assert pq.read_table(Path("RESULTS") / result["artifacts"]["ledger"]).num_rows == 3
    assert Manifest.from_json(Path("RESULTS/manifest.json").read_bytes()).photos == 3
