"""Temporary files: whoever fills the folder they are in is told which one it is, and what to do."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from meanface.errors import StorageUnavailable


@contextmanager
def scratch() -> Iterator[None]:
    """Errors of temporary files that are written in the block, as `StorageUnavailable`."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        trouble = getattr(error, "strerror", None) or error
        raise StorageUnavailable(
            f"cannot write temporary files to {tempfile.gettempdir()}: {trouble}; set TMPDIR to a folder with more room"
        ) from error
