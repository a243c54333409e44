"""Airflow's side of meanface: it runs the stages and reads the records that they leave in Redis.

The package never imports `meanface`. It knows only the stages' command line and their JSON records,
so any Airflow with the package `redis` can host it.

A DAG file needs one line, `mean_face_dag()`; a DAG that waits for results has `mean_asset()` as its
schedule, and one that waits for days of a series `PartitionedAssetTimetable(assets=series_asset(NAME))`.

Modules
-------
dag
    `mean_face_dag`, the DAG with its tasks
naming
    pure: names of DAGs, runs and assets
settings
    the deployment's settings, read from the environment in one place
params
    the DAG's params and the trigger form, one param for each option of `meanface plan`
arguments
    pure: the command line of a stage
deadline
    what happens when a run takes longer than it may
runtime
    chooses the operator that runs a stage: a pod or a local process
pod, process
    the two operators
pod_end
    pure: why a pod ended
pod_trigger
    watches a pod until it ends or its node is lost
pod_connection
    one connection of a triggerer to Kubernetes
pod_secret
    the Secret with a pod's credentials
storage_access
    credentials of buckets, from an Airflow connection
lineage, lineage_facets
    what a stage reads and writes, for OpenLineage
process_group
    a child process in a separate process group
errors
    how a task fails, and when it is retried
connection
    the Airflow connection `meanface_redis`, as a URL
records
    a run's records in Redis: manifest, progress, result
tasks
    the DAG's light tasks, and the assets that they update
preload
    imports and makes what tasks need before Airflow forks their processes
plugin, links, page
    the progress page in Airflow's UI, and the links to it
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meanface_airflow.dag import mean_face_dag
    from meanface_airflow.tasks import mean_asset, series_asset

__all__ = ["mean_asset", "mean_face_dag", "series_asset"]

__version__ = "0.2.0"

_MODULES = {"mean_face_dag": "dag", "mean_asset": "tasks", "series_asset": "tasks"}


def __getattr__(name: str) -> Any:
    """Import on demand: every process of Airflow imports this package, and most need neither."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
