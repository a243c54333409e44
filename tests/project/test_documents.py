"""The pages of the documentation: each can be found, each link leads somewhere, and each fits a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = ROOT / "docs/README.md"
PAGES = sorted(
    [
        *ROOT.glob("docs/**/*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / name for name in ("charts/meanface/README.md", "embedding_image/README.md")),
    ]
)
WIDTH = 100
CELL = 110
"""Characters of a table's cell; longer ones are sentences, which are read in lists and sections."""


def _names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _without_code(text: str) -> str:
    """Without blocks of code, which may be wider."""
    return re.sub(r"(?ms)^```.*?^```$|^ {4,}.*?$", "", text)


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_names)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", _without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), target
        if anchor:
            assert anchor in _anchors(found), target


def test_the_map_names_every_page() -> None:
    linked = {(MAP.parent / name).resolve() for name in re.findall(r"\]\(([^)#]+)", MAP.read_text())}
    pages = {page for page in (ROOT / "docs").glob("*.md") if page != MAP}
    assert pages - linked == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=_names)
def test_targets_of_make_exist(page: Path) -> None:
    """The changelog may name those that are gone."""
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z][a-z0-9-]*)", page.read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=_names)
def test_prose_fits_a_terminal(page: Path) -> None:
    text = _without_code(page.read_text())
    prose = [line for line in text.splitlines() if not line.startswith(("|", "![", "  <img"))]
    assert [line for line in prose if len(line) > WIDTH] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "charts" not in page.parts], ids=_names)
def test_tables_have_no_sentences(page: Path) -> None:
    """The chart's table of values is made of the comments in values.yaml, which are sentences."""
    rows = [line for line in _without_code(page.read_text()).splitlines() if line.startswith("|")]
    cells = [cell for row in rows for cell in re.split(r" (?<!\\)\| ", row.strip("| "))]
    assert [cell for cell in cells if len(cell) > CELL] == []
