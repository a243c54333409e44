"""Temporary files, whose errors name their folder and what to do."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from meanface.errors import StorageUnavailable


@contextmanager
def scratch() -> Iterator[None]:
    """Translate errors of writing temporary files into `StorageUnavailable`."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        cause = getattr(error, "strerror", None) or error
        raise StorageUnavailable(
            f"cannot write temporary files to {tempfile.gettempdir()}: {cause}; set TMPDIR to a folder with more room"
        ) from error
