"""The two light tasks of the DAG: they read Redis and hand on what Airflow needs to know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, task
from redis import RedisError

from meanface_airflow.exits import RefusalsStay, StageFailed, StageRefused, end, redis_url_or_end
from meanface_airflow.records import RecordRefused, RunRecords, partitions, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

MEAN = Asset(name="meanface/mean", uri="x-meanface://mean")


@contextmanager
def _records(context: Any) -> Iterator[RunRecords]:
    try:
        yield RunRecords.at(redis_url_or_end(context), context["run_id"])
    except RecordRefused as refused:
        end(StageRefused(str(refused)), context)
    except RedisError as failure:
        end(StageFailed(f"Redis cannot be read: {failure}"), context)


@task(retry_policy=RefusalsStay())
def list_partitions(**context: Any) -> list[int]:
    """Indices of the run's partitions, for one embed task each."""
    with _records(context) as records:
        return partitions(records.manifest())


@task(outlets=[MEAN], multiple_outputs=False, retry_policy=RefusalsStay())
def publish(**context: Any) -> dict[str, Any]:
    """Hand the result to Airflow: the summary, XCom `mean_vector` (128 floats), and an event of the asset."""
    with _records(context) as records:
        result = records.result()
        told = summary(result)
    context["ti"].xcom_push("mean_vector", result["mean"])
    context["outlet_events"][MEAN].extra = told
    return told
