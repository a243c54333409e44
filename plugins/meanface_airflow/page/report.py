"""A run's `report.html`, where the API server sees the folder that the stages write to."""

from __future__ import annotations

from pathlib import Path

from meanface_airflow.page.checked import Result

LARGEST = 5_000_000
"""Bytes of a report that are served; a real one, with its charts and pictures, has less than 1 MB."""


def readable(result: Result, storage: str) -> Path | None:
    """The report's file; None for one in a bucket, outside the storage, or not there.

    Parameters
    ----------
    result
        says where it is; what a record says is no reason to read any other file
    storage
        the deployment's folder of all runs
    """
    name = result.artifacts.get("report", "report.html")
    if not (storage.startswith("/") and result.location.startswith("/")):
        return None
    try:
        root, file = Path(storage).resolve(), Path(result.location, name).resolve()
        if file.is_relative_to(root) and file.suffix == ".html" and file.is_file() and file.stat().st_size <= LARGEST:
            return file
    except (OSError, ValueError):  # a name that is no name of a file counts as none
        pass
    return None
