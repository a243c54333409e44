"""Parquet files are read in the thread that asks."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.errors import DamagedRecord
from meanface.storage.parquet import read_table

TABLE = pa.table({"photo": ["a.jpg", "b.jpg"], "faces": [1, 2]})
COMMANDS = """
import sys
from meanface.cli.app import app

out, photo = sys.argv[1:]
for words in (["run", "sample", "--output", out, "--labels", "parent_folder"], ["identify", out, photo]):
    app(words, standalone_mode=False)
    print("threads" if "pyarrow.dataset" in sys.modules else "no threads")
"""


def parquet(table: pa.Table) -> bytes:
    output = io.BytesIO()
    pq.write_table(table, output)
    return output.getvalue()


def test_a_table_comes_back_with_the_files_metadata() -> None:
    table, metadata = read_table(parquet(TABLE.replace_schema_metadata({"key": "value"})), "a table")
    assert table.equals(TABLE)
    assert metadata[b"key"] == b"value"


@pytest.mark.parametrize("data", [b"", b"PAR1PAR1", parquet(TABLE)[:-9]])
def test_bytes_that_are_no_table_are_named(data: bytes) -> None:
    with pytest.raises(DamagedRecord, match=r"^photos\.parquet cannot be read: "):
        read_table(data, "photos.parquet")


@pytest.mark.long
def test_no_thread_of_arrow_can_outlive_a_command(tmp_path: Path, portrait_files: list[Path]) -> None:
    """One that gives bytes back after the interpreter's end aborts the process, once in many times."""
    command = [sys.executable, "-c", COMMANDS, str(tmp_path), str(portrait_files[0])]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line for line in told.splitlines() if line.endswith("threads")] == 2 * ["no threads"]
