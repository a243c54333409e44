"""Imports go one way: the plugin does not import meanface."""

import ast
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "plugins" / "meanface_airflow"


def imported(path):
    """Top-level names of the packages that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import, which Airflow's loader of plugins cannot follow"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", sorted(PLUGIN.rglob("*.py")), ids=lambda path: path.name)
def test_the_plugin_does_not_import_meanface(path):
    assert "meanface" not in set(imported(path))


def test_records_does_not_import_airflow():
    assert "airflow" not in set(imported(PLUGIN / "records.py"))
