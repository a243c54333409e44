"""Keeps libraries from importing packages that no command needs, which takes up to 0.3 s."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


class _Forbidden(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, *_: object) -> None:
        if name == self._package:
            raise ModuleNotFoundError(f"no command of meanface needs {name}", name=name)


def forbid(package: str) -> MetaPathFinder:
    """From now on this process cannot import the package, unless it has done so before."""
    finder = _Forbidden(package)
    sys.meta_path.insert(0, finder)
    return finder


@contextmanager
def forbidden(package: str) -> Iterator[None]:
    """Within it, this process cannot import the package, unless it has done so before."""
    finder = forbid(package)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
