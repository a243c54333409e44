"""docs/compatibility.md has a module of recipes for each of its tables, and no module is left over."""

from __future__ import annotations

import re
from pathlib import Path

from compatibility import DOCUMENT, sections


def test_each_table_has_its_recipes() -> None:
    modules = [file.read_text() for file in Path(__file__).parent.glob("test_*.py")]
    found = [name for text in modules for name in re.findall(r'^recipe = Recipes\("(.+)"\)$', text, re.MULTILINE)]
    assert sorted(found) == sorted(sections())


def test_prose_fits_a_line() -> None:
    prose = [line for line in DOCUMENT.read_text().splitlines() if not line.startswith("|")]
    assert max(map(len, prose)) <= 100


def test_the_document_is_found() -> None:
    root = DOCUMENT.parents[1]
    assert "(docs/compatibility.md)" in (root / "README.md").read_text()
