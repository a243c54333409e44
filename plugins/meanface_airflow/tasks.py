"""The DAG's two light tasks: they read Redis and pass results on to Airflow."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, task
from redis import RedisError

from meanface_airflow.connection import CONNECTION_ID
from meanface_airflow.errors import RetryUnlessRefused, StageFailed, StageRefused, fail_task, redis_url_or_fail
from meanface_airflow.records import RecordError, RunRecords, partitions, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

MEAN = Asset(name="meanface/mean", uri="x-meanface://mean")


@contextmanager
def _records(context: Any) -> Iterator[RunRecords]:
    try:
        yield RunRecords.at(redis_url_or_fail(context), context["run_id"])
    except RecordError as refused:
        fail_task(StageRefused(str(refused)), context)
    except RedisError as failure:
        fail_task(StageFailed(f"cannot read Redis through Airflow's connection {CONNECTION_ID}: {failure}"), context)


@task(retry_policy=RetryUnlessRefused())
def list_partitions(**context: Any) -> list[int]:
    """Indices of the run's partitions, one for each embed task."""
    with _records(context) as records:
        return partitions(records.manifest())


@task(outlets=[MEAN], multiple_outputs=False, retry_policy=RetryUnlessRefused())
def publish(**context: Any) -> dict[str, Any]:
    """Pass the result on: its summary, the XCom `mean_vector` (128 floats), and an asset event."""
    with _records(context) as records:
        result = records.result()
        published = summary(result)
    context["ti"].xcom_push("mean_vector", result["mean"])
    context["outlet_events"][MEAN].extra = published
    return published
