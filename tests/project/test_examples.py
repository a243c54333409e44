"""Examples in docstrings say what happens."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import meanface

MODULES = [
    module.name
    for module in pkgutil.walk_packages(meanface.__path__, "meanface.")
    if not module.name.startswith("meanface.workers.child") or module.name == "meanface.workers.pool"
]


RUNNING = {"meanface.embedder.faces", "meanface.library.image", "meanface.library.runs", "meanface.results.reader"}
"""Their examples start workers."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in RUNNING else name for name in MODULES]
)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(examples) >= 15
