"""Imports go one way, folder by folder, for every module of the distribution; and pure modules have no side effects."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "embedding_image" / "src"
PACKAGE = SOURCE / "meanface"

LAYERS = [
    {"__main__"},
    {"library"},
    {"cli"},
    {"metrics"},
    {"pipeline"},
    {"results"},
    {"workers", "ledger"},
    {"embedder"},
    {"dataset"},
    {"stats", "state"},
    {"storage"},
    {"errors", "extras", "outcome", "photo_settings", "retry", "settings", "system", "tally", "text"},
    {""},
]
"""Top names below `meanface`, the highest first; "" is `meanface/__init__.py`. A module imports from its own folder and
from lower layers only."""

PURE = [
    "dataset/content.py",
    "dataset/kinds.py",
    "dataset/refs.py",
    "embedder/photo_repair.py",
    "errors.py",
    "ledger/manifest.py",
    "ledger/photo_labels.py",
    "metrics/totals.py",
    "outcome.py",
    "results/account.py",
    "results/reasons.py",
    "stats/duplicates.py",
    "stats/exact_sum.py",
    "stats/intervals.py",
    "stats/labels.py",
    "stats/models.py",
    "stats/moments.py",
    "stats/neighbours.py",
    "stats/recognition.py",
    "stats/recognition_models.py",
    "stats/robust.py",
    "stats/trimmed.py",
    "stats/two_sample.py",
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


def dotted(module: Path, source: Path = SOURCE) -> str:
    """`meanface.storage.files` of a file."""
    return ".".join(module.relative_to(source).with_suffix("").parts).removesuffix(".__init__")


def modules(source: Path) -> dict[str, Path]:
    return {dotted(file, source): file for suffix in ("py", "pyi") for file in sorted(source.rglob(f"*.{suffix}"))}


def imported(module: Path, known: dict[str, Path]) -> set[str]:
    """The imports of a module, at its top or inside functions: known modules by their full name, others as written."""
    found = set()
    tree = ast.parse(module.read_text())
    if module.stem == "__init__" and module.parent.name == "meanface":  # type checkers alone read its public names
        tree.body = [
            node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno}: a relative import"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (whole & known.keys()) | ({node.module or ""} if whole - known.keys() else set())
    return found


def room(module: str) -> tuple[int, str]:
    """The layer of a module, and its folder; modules that lie in none are one room."""
    top = [*module.split("."), ""][1]
    (number,) = [number for number, names in enumerate(LAYERS) if top in names]
    return number, top if (PACKAGE / top).is_dir() else ""


def upward(source: Path) -> list[str]:
    """Imports that go up, or across to another folder of the same layer."""
    known = modules(source)
    return [
        f"{module} imports {other}"
        for module, file in known.items()
        for other in sorted(imported(file, known) & known.keys())
        if room(module) != room(other) and room(module)[0] >= room(other)[0]
    ]


def order(source: Path) -> list[str]:
    """All modules, each behind those that it imports.

    Raises
    ------
    CycleError
        if there is no such order
    """
    known = modules(source)
    graph = {module: imported(file, known) & known.keys() - {module} for module, file in known.items()}
    return list(TopologicalSorter(graph).static_order())


def test_every_import_goes_down() -> None:
    assert upward(SOURCE) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert len(order(SOURCE)) == len(modules(SOURCE)) > 100


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("storage/files.py", "from meanface.ledger.manifest import Manifest"),
        ("stats/moments.py", "def late() -> None:\n    import meanface.pipeline.run"),
        ("ledger/chunk.py", "from meanface.workers import pool"),
        ("stats/labels.py", "from meanface.state.base import State"),
        ("errors.py", "from meanface.cli.app import main"),
    ],
)
def test_a_planted_import_is_found(module: str, line: str, tmp_path: Path) -> None:
    copied = tmp_path / "meanface"
    for file in PACKAGE.rglob("*.py*"):
        if file.suffix in (".py", ".pyi"):
            target = copied / file.relative_to(PACKAGE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.read_text())
    (copied / module).write_text(f"{(copied / module).read_text()}\n{line}\n")
    assert len(upward(tmp_path)) == 1


def test_a_planted_circle_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "meanface"
    folder.mkdir()
    (folder / "errors.py").write_text("from meanface.outcome import Outcome\n")
    (folder / "outcome.py").write_text("from meanface import errors\n")
    with pytest.raises(CycleError):
        order(tmp_path)


@pytest.mark.parametrize("module", modules(SOURCE).values(), ids=dotted)
def test_the_distribution_never_imports_airflow(module: Path) -> None:
    names = {name.partition(".")[0] for name in imported(module, {})}
    assert not {name for name in names if name.startswith(("airflow", "meanface_airflow"))}


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_reach_for_nothing(name: str) -> None:
    assert not {name.partition(".")[0] for name in imported(PACKAGE / name, {})} & EFFECTS
