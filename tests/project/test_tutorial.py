"""The tutorial runs from its first to its last cell in a real kernel, and prints what it promises."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = DOCS / "tutorial.ipynb"


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def texts(notebook: nbformat.NotebookNode) -> str:
    """Everything that is printed or shown, as text."""
    found = outputs(notebook)
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in found)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    folder = tmp_path_factory.mktemp("tutorial")
    return NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, in this process
def test_it_prints_what_it_promises(executed: nbformat.NotebookNode) -> None:
    text = texts(executed)
    assert "(6, 1, (128,), array([" in text
    assert "grace_hopper: 2 faces, at most 0.09 from their mean" in text
    assert re.search(r"^grace_hopper, at a distance of 0\.[0-3]\d$", text, re.MULTILINE)
    assert "expected uint8 of shape (rows, columns, 3)" in text
    assert "(True, Result(6 faces in 6 of 7 photos))" in text
    assert not [output for output in outputs(executed) if output.output_type == "error"]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_result_shows_its_mean_face_and_a_run_its_progress(executed: nbformat.NotebookNode) -> None:
    pages = [output.data["text/html"] for output in outputs(executed) if "text/html" in output.get("data", {})]
    assert any("data:image/png;base64," in page for page in pages)
    assert any("7/7" in page for page in pages)


def test_it_is_stored_without_outputs() -> None:
    cells = json.loads(TUTORIAL.read_text())["cells"]
    assert all(cell.get("outputs", []) == [] for cell in cells)
    assert {cell["cell_type"] for cell in cells} == {"code", "markdown"}


def test_its_links_lead_somewhere() -> None:
    cells = json.loads(TUTORIAL.read_text())["cells"]
    text = "".join(line for cell in cells if cell["cell_type"] == "markdown" for line in cell["source"])
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets
    assert all((DOCS / target).exists() for target in targets)
