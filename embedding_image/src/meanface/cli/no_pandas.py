"""Keeps PyArrow from importing pandas, which takes 0.3 s.

If pandas is installed, PyArrow imports it with the first array of a process. No command needs it.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("no command of meanface needs pandas", name=name)


def forbid_pandas() -> None:
    """From now on this process cannot import pandas."""
    sys.meta_path.insert(0, _NoPandas())
