"""Names of DAGs, of their runs in Redis and storage, and of their assets; pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

DAG_ID = "meanface"
"""the DAG of this project; other DAGs have ids that people choose"""
TAG = "meanface"
"""the tag by which the progress page recognises DAGs of `mean_face_dag`"""

_DAG_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def run_name(dag_id: str, run_id: str) -> str:
    """Name of a DAG's run in Redis and in storage; runs of two DAGs may have one id.

    Airflow's ids have no `@`, so no two runs have one name.

    >>> run_name("meanface", "scheduled__2026-01-02"), run_name("family", "scheduled__2026-01-02")
    ('scheduled__2026-01-02', 'family@scheduled__2026-01-02')
    """
    return run_id if dag_id == DAG_ID else f"{dag_id}@{run_id}"


def checked_dag_id(dag_id: str) -> str:
    """Return the id of a DAG; ValueError if Redis and storage cannot have it in a run's name.

    >>> checked_dag_id("família")
    Traceback (most recent call last):
    ValueError: DAG id 'família': expected letters from A to z, digits and ._- only, as it is in the names of files
    """
    if not _DAG_ID.fullmatch(dag_id):
        raise ValueError(
            f"DAG id {dag_id!r}: expected letters from A to z, digits and ._- only, as it is in the names of files"
        )
    return dag_id


def mean_uri(dag_id: str) -> str:
    """URI of the asset that a DAG's results update.

    >>> mean_uri("meanface"), mean_uri("family")
    ('x-meanface://mean', 'x-meanface://family/mean')
    """
    return "x-meanface://mean" if dag_id == DAG_ID else f"x-meanface://{dag_id}/mean"


def series_uri(series: str) -> str:
    """URI of the asset of a series; no DAG's asset has the same.

    >>> series_uri("family")
    'x-meanface://series/family/days'
    """
    return f"x-meanface://series/{series}/days"


def to_uri(location: str) -> str:
    """URI of a run's folder in storage, which is a path or already a URI.

    >>> to_uri("/storage/runs/my run"), to_uri("s3://bucket/runs/one")
    ('file:///storage/runs/my%20run', 's3://bucket/runs/one')
    """
    return location if "://" in location else PurePosixPath(location).as_uri()
