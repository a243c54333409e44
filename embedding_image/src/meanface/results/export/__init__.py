"""Export the faces and templates of a result to files and databases that other programs search.

An export is addressed by content: each row has an identifier, the hash of all its columns, so that exporting again
writes only rows that are new, and removes those that are gone.
"""

from __future__ import annotations

from collections.abc import Callable

from meanface.errors import SettingsError
from meanface.results.export.exported import Exported
from meanface.results.reader import Result
from meanface.storage.files import without_credentials

TARGETS = (
    "a name that ends in .npz, .parquet or .faiss, a folder (its name ends in /), or the address of a database, "
    "postgresql://..."
)


def export(result: Result, target: str, *, schema: str | None = None) -> list[Exported]:
    """Write a result's faces and templates to a target; what was there of an earlier export is brought up to date.

    Parameters
    ----------
    result
        of a run; a series has no faces
    target
        one of `TARGETS`; local paths are absolute
    schema
        PostgreSQL's schema for the tables, by default `meanface`; for a database only

    Raises
    ------
    SettingsError
        for an unknown target, and if the package that it needs is not installed
    Conflict
        if something that meanface did not export is at the target, or an export of another recipe
    DamagedRecord
        if the ledger is damaged, or missing as in a series
    StorageUnavailable
        if the target cannot be reached
    """
    if schema is not None and not _is_database(target):
        raise SettingsError(f"schema={schema!r}: only a database has schemas; leave it out for {target!r}")
    return _exporter(target)(result, target) if schema is None else _to_database(result, target, schema)


def _exporter(target: str) -> Callable[[Result, str], list[Exported]]:
    if _is_database(target):
        return _to_database
    if target.endswith(".npz"):
        from meanface.results.export.npz import to_npz

        return to_npz
    if target.endswith(".parquet"):
        from meanface.results.export.parquet import to_parquet

        return to_parquet
    if target.endswith(".faiss"):
        from meanface.results.export.faiss_index import to_faiss

        return to_faiss
    if target.endswith("/"):
        from meanface.results.export.parquet import to_folder

        return to_folder
    raise SettingsError(f"target {without_credentials(target)!r}: expected {TARGETS}")


def _is_database(target: str) -> bool:
    return target.partition("://")[0] in ("postgresql", "postgres") and "://" in target


def _to_database(result: Result, target: str, schema: str = "meanface") -> list[Exported]:
    from meanface.results.export.postgresql import to_postgresql

    return to_postgresql(result, target, schema)
