"""The DAG's two light tasks: they read Redis and pass results on to Airflow."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, task
from airflow.sdk import result as dag_result
from redis import RedisError

from meanface_airflow.connection import CONNECTION_ID
from meanface_airflow.errors import RetryUnlessRefused, StageFailed, StageRefused, fail_task, redis_url_or_fail
from meanface_airflow.naming import DAG_ID, mean_uri, run_name
from meanface_airflow.records import RecordError, RunRecords, partitions, summary

if TYPE_CHECKING:
    from collections.abc import Iterator


def mean_asset(dag_id: str = DAG_ID) -> Asset:
    """The asset that has an event for each result of a DAG, with the result's summary as `extra`."""
    return Asset(name=f"{dag_id}/mean", uri=mean_uri(dag_id))


@contextmanager
def _records(context: Any) -> Iterator[RunRecords]:
    try:
        yield RunRecords.at(redis_url_or_fail(context), run_name(context["ti"].dag_id, context["run_id"]))
    except RecordError as refused:
        fail_task(StageRefused(str(refused)), context)
    except RedisError as failure:
        fail_task(StageFailed(f"cannot read Redis through Airflow's connection {CONNECTION_ID}: {failure}"), context)


@task(retry_policy=RetryUnlessRefused())
def list_partitions(**context: Any) -> list[int]:
    """Indices of the run's partitions, one for each embed task."""
    with _records(context) as records:
        return partitions(records.manifest())


@dag_result
@task(multiple_outputs=False, retry_policy=RetryUnlessRefused())
def publish(**context: Any) -> dict[str, Any]:
    """Pass the result on: summary and mean, the XCom `mean_vector`, and an event of its asset.

    What it returns is the run's result in Airflow, which the REST API's `wait` answers.
    """
    with _records(context) as records:
        result = records.result()
        published = summary(result)
    context["ti"].xcom_push("mean_vector", result["mean"])
    context["outlet_events"][mean_asset(context["ti"].dag_id)].extra = published
    return published | {"mean": result["mean"]}
