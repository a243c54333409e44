"""Packages that only some runs need: the extra of meanface that installs each."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from meanface.errors import SettingsError


def advice(what: str, extra: str) -> str:
    """Say which extra to install.

    >>> advice("az://", "azure")
    "az:// needs a package that is not installed: pip install 'meanface[azure]'"
    """
    return f"{what} needs a package that is not installed: pip install 'meanface[{extra}]'"


def optional(module: str, what: str, extra: str) -> Any:
    """Import a module of an extra; `SettingsError` names the extra if it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name != module.partition(".")[0]:
            raise
        raise SettingsError(advice(what, extra)) from None


def installed(module: str) -> bool:
    """Whether a package is installed; it is not imported.

    >>> installed("numpy"), installed("no_such_package")
    (True, False)
    """
    return importlib.util.find_spec(module) is not None
