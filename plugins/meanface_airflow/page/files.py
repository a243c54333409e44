"""Files of a run's result that the API server can read in the stages' storage folder."""

from __future__ import annotations

from pathlib import Path

from meanface_airflow.page.models import Result

REPORT = "report.html"
DISPLAYED = {REPORT: "text/html; charset=utf-8", "mean_face.png": "image/png"}
"""Media types of files that a browser displays."""
DOWNLOADS = {
    "result.json": "application/json",
    "failures.csv": "text/csv; charset=utf-8",
    "mean.npy": "application/octet-stream",
    "moments.npz": "application/octet-stream",
    "label_means.parquet": "application/vnd.apache.parquet",
    "label_checks.csv": "text/csv; charset=utf-8",
}
"""Media types of files that a browser downloads."""


def servable(result: Result, storage: str) -> dict[str, Path]:
    """Paths of the files that may be served, by name.

    There are none for a run in a bucket, and none whose path or symbolic link leads out of the
    storage folder: the location comes from a record in Redis, which is not trusted.

    Parameters
    ----------
    result
        the result, with the folder of its files
    storage
        the deployment's storage folder
    """
    if not (storage.startswith("/") and _is_folder(result)):
        return {}
    try:
        root = Path(storage).resolve()
        files = {name: Path(result.location, name).resolve() for name in (*DISPLAYED, *DOWNLOADS)}
        return {name: file for name, file in files.items() if file.is_relative_to(root) and file.is_file()}
    except (OSError, ValueError):  # the location is not a valid path
        return {}


def why_not_servable(result: Result) -> str:
    """Why the API server cannot serve any of the files."""
    if not _is_folder(result):
        return "Airflow's API server does not read buckets, so it cannot serve them."
    return "Airflow's API server cannot read this folder: mount the storage there too, and check MEANFACE_STORAGE."


def _is_folder(result: Result) -> bool:
    return result.location.startswith("/")
