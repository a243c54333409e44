"""The two light tasks of the DAG: they read Redis and hand on what Airflow needs to know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, task
from airflow.sdk.exceptions import AirflowFailException

from meanface_airflow.connection import redis_url
from meanface_airflow.records import RecordRefused, RunRecords, partitions, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

MEAN = Asset(name="meanface/mean", uri="x-meanface://mean")


@contextmanager
def _records(run: str) -> Iterator[RunRecords]:
    try:
        yield RunRecords.at(redis_url(), run)
    except RecordRefused as refused:
        raise AirflowFailException(str(refused)) from None


@task
def list_partitions(**context: Any) -> list[int]:
    """Indices of the run's partitions, for one embed task each."""
    with _records(context["run_id"]) as records:
        return partitions(records.manifest())


@task(outlets=[MEAN], multiple_outputs=False)
def publish(**context: Any) -> dict[str, Any]:
    """Hand the result to Airflow: the summary, XCom `mean_vector` (128 floats), and an event of the asset."""
    with _records(context["run_id"]) as records:
        result = records.result()
        told = summary(result)
    context["ti"].xcom_push("mean_vector", result["mean"])
    context["outlet_events"][MEAN].extra = told
    return told
