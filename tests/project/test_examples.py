"""Examples in docstrings say what happens."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil

import pytest

import meanface

MODULES = [
    module.name
    for module in pkgutil.walk_packages(meanface.__path__, "meanface.")
    if not module.name.startswith("meanface.worker") or module.name == "meanface.workers"
    if module.name != "meanface.cuda.kernels"  # needs Triton
    if not module.name.startswith("meanface.cuda.") or importlib.util.find_spec("torch")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(examples) >= 15
