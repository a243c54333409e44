"""docs/export.md: its session, its lines of Python and its SQL work as they are."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import faiss
import numpy as np
import pandas as pd
import psycopg
import pyarrow.parquet as pq
import pytest
from pgvector.psycopg import register_vector

from pgvector_server import pgvector_server

pytestmark = pytest.mark.long

DOCUMENT = (Path(__file__).parents[4] / "docs" / "export.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
SQL = [one for block in re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL) for one in block.split(";") if one.strip()]
SESSIONS = re.findall(r"^    \$ meanface (export .*)\n((?:    (?!\$).*\n)*)", DOCUMENT, re.MULTILINE)


def meanface(command: str) -> str:
    words = [sys.executable, "-m", "meanface", *shlex.split(command)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory, with the sample's result and all exports to files."""
    with contextlib.chdir(tmp_path_factory.mktemp("export")) as _:
        meanface("run sample --labels parent_folder --output RESULTS -q")
        (command, printed) = SESSIONS[0]
        assert meanface(command) == re.sub(r"^    ", "", printed, flags=re.MULTILINE)
        for name in ("people.npz", "people.parquet", "people.faiss"):
            meanface(f"export RESULTS {name}")
        yield Path.cwd()


@pytest.mark.parametrize("code", PYTHON)
def test_python(folder: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    query = np.stack(pq.read_table(folder / "people.parquet")["embedding"].to_numpy())[2]
    names: dict[str, Any] = {"np": np, "pd": pd, "duckdb": duckdb, "faiss": faiss, "query": query}
    exec(code, names)
    if "nearest" in names:
        assert names["nearest"]["distance"].tolist()[0] == 0
    else:
        assert "grace_hopper" in capsys.readouterr().out or "people" in names


def test_sql(folder: Path) -> None:
    query = np.stack(pq.read_table(folder / "people.parquet")["embedding"].to_numpy())[2]
    with pgvector_server() as address, psycopg.connect(address) as connection:
        command = SESSIONS[1][0].replace("postgresql://ada@database.example/photos", f"'{address}'")
        assert meanface(command) == meanface("export RESULTS other/")
        register_vector(connection)
        labels, photos = (
            connection.execute(one.replace("$1", "%s"), [query] if "$1" in one else []).fetchall() for one in SQL
        )
        assert (labels[0][0], len(labels)) == ("grace_hopper", 3)
        assert {photo for photo, _ in photos[:2]} == {
            "grace_hopper/grace_hopper.jpg",
            "grace_hopper/black_and_white.jpg",
        }
