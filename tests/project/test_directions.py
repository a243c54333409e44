"""The arrows go one way: the distribution knows nothing of Airflow, and its pure modules nothing of the world."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "embedding_image" / "src" / "meanface"
MODULES = sorted(SOURCE.rglob("*.py"))
PURE = [
    "account.py",
    "content.py",
    "dataset/kinds.py",
    "difference.py",
    "duplicates.py",
    "errors.py",
    "labels.py",
    "manifest.py",
    "moments.py",
    "outcome.py",
    "photolabels.py",
    "reasons.py",
    "repair.py",
    "robust.py",
    "statistics.py",
    "sums.py",
]
EFFECTS = {
    "asyncio",
    "fsspec",
    "os",
    "pathlib",
    "pyarrow",
    "random",
    "redis",
    "socket",
    "subprocess",
    "time",
    "urllib3",
}


def imported(module: Path) -> set[str]:
    """Top names of what a module imports, wherever it does."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SOURCE)))
def test_the_distribution_never_imports_airflow(module: Path) -> None:
    assert not {name for name in imported(module) if name.startswith(("airflow", "meanface_airflow"))}


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_reach_for_nothing(name: str) -> None:
    assert not imported(SOURCE / name) & EFFECTS
