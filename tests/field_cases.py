"""The inputs of `../shared/field/cases.py`, as people have them, and the right outcome of a run over each."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from polling import until

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT.parent / "shared/field/cases.py"
SAMPLE = ROOT / "embedding_image/src/meanface/dataset/sample/photos"
PYTHON = ROOT / ".venvs/meanface/bin/python"
"""has the packages that the program needs"""
SERVER = "http://127.0.0.1:8765/a.jpg"

needs_cases = pytest.mark.skipif(not PROGRAM.exists(), reason="shared/field/cases.py is not beside the checkout")


@dataclass(frozen=True)
class Case:
    """A dataset below the folder of all cases, and its right outcome."""

    dataset: str
    faces: int
    settings: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    turned: int = 0

    def check(self, result: Mapping[str, Any]) -> None:
        """Compare a result: every photo has a face."""
        assert (result["outcomes"]["ok"], result["photos"], result["faces"]) == (self.faces,) * 3
        assert {each["kind"]: each["files"] for each in result["passed_over"]} == self.passed_over
        assert result["orientation"]["turned"] == self.turned


CASES = [
    Case("sideways", 5, turned=4),
    Case("no_end_marker", 2),
    Case("phone_folder", 5, passed_over={"iCloud placeholders": 1, "sidecar and text files": 1, "videos": 1}),
    Case(
        "hidden_copies",
        2,
        {"labels": "parent_folder"},
        ("ann", "bob"),
        {
            "checkpoint copies": 1,
            "files in a folder of previews": 2,
            "files in a trash folder": 2,
        },
    ),
    Case("list_with_person_names/faces.csv", 12, {"label_column": "name"}, ("Fred_A", "Lauren_B")),
    Case("url_twice/list.csv", 1, passed_over={"rows that repeat a photo": 1}),
    Case("encoded_answer/list.csv", 1),
    Case("linked/hub/snapshots/abc", 1, {"follow_links": "true"}),
    Case("linked/set", 1, {"follow_links": "true"}),
    Case("concatenated/both.tar", 2),
    Case("concatenated/both.tgz", 2),
    Case("concatenated/shards/*.tar", 2),
    Case("fifty_megapixels", 2),
    Case("other_lists/urls.txt", 1),
    Case("other_lists/hf/train-00000.parquet", 1, {"label_column": "label"}, ("ann",)),
    Case("other_lists/hf", 1, {"label_column": "label"}, ("ann",)),
    Case("other_lists/0000.tar", 1, {"label_column": "person"}, ("ann",), {"sidecar and text files": 2}),
    Case("other_lists/0000.tar", 1, {"label_column": "cls"}, ("7",), {"sidecar and text files": 2}),
]


@contextmanager
def made_cases(folder: Path) -> Iterator[Path]:
    """Make the inputs, and serve those of lists; a case that is skipped for lack of a package is a failure."""
    portraits = folder / "portraits"
    portraits.mkdir()
    for path in SAMPLE.glob("*/*.jpg"):
        shutil.copy(path, portraits / path.name)
    shutil.copy(portraits / "chelsea.jpg", portraits / "chelsea.png")  # the program wants this name
    made = subprocess.run([PYTHON, PROGRAM, portraits, folder / "cases"], check=True, capture_output=True, text=True)
    assert not made.stderr, made.stderr
    with subprocess.Popen([PYTHON, PROGRAM, "serve", portraits], stderr=subprocess.DEVNULL) as server:
        try:
            until(_answers)
            yield folder / "cases"
        finally:
            server.kill()


def _answers() -> bool:
    try:
        with urllib.request.urlopen(SERVER):
            return True
    except OSError:
        return False
