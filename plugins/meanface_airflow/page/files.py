"""Files of a run's result, where the API server sees the folder that the stages write to."""

from __future__ import annotations

from pathlib import Path

from meanface_airflow.page.checked import Result

REPORT = "report.html"
SHOWN = {REPORT: "text/html; charset=utf-8", "mean_face.png": "image/png"}
"""Files that a browser shows, with their types."""
SAVED = {
    "result.json": "application/json",
    "failures.csv": "text/csv; charset=utf-8",
    "mean.npy": "application/octet-stream",
    "moments.npz": "application/octet-stream",
    "label_means.parquet": "application/vnd.apache.parquet",
}
"""Files that a browser saves, with their types."""


def readable(result: Result, storage: str) -> dict[str, Path]:
    """The files by name; none of a run in a bucket, none that lies or leads out of the storage.

    Parameters
    ----------
    result
        says in which folder they are; what a record says is no reason to read any other file
    storage
        the deployment's folder of all runs
    """
    if not (storage.startswith("/") and _is_folder(result)):
        return {}
    try:
        root = Path(storage).resolve()
        files = {name: Path(result.location, name).resolve() for name in (*SHOWN, *SAVED)}
        return {name: file for name, file in files.items() if file.is_relative_to(root) and file.is_file()}
    except (OSError, ValueError):  # a location that is no name of a folder counts as none
        return {}


def withheld(result: Result) -> str:
    """Why none of the files can be had here, where there is none."""
    if not _is_folder(result):
        return "Airflow's API server reads no bucket, and so cannot serve them."
    return "Airflow's API server has no such folder in its storage: it is not mounted there, or lies elsewhere."


def _is_folder(result: Result) -> bool:
    return result.location.startswith("/")
