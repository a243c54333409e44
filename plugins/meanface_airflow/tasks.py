"""The DAG's light tasks, which pass results on to Airflow, and the assets that get their events."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Asset, AssetAlias, task
from airflow.sdk import result as dag_result
from airflow.sdk.exceptions import AirflowSkipException
from redis import RedisError

from meanface_airflow.arguments import run_date
from meanface_airflow.connection import CONNECTION_ID
from meanface_airflow.errors import RETRY_POLICY, StageFailed, StageRefused, fail_task, redis_url_or_fail
from meanface_airflow.naming import DAG_ID, mean_uri, run_name, series_uri, to_uri
from meanface_airflow.records import RecordError, RunRecords, partitions, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context


def mean_asset(dag_id: str = DAG_ID) -> Asset:
    """The asset that has an event for each result of a DAG, with the result's summary as `extra`."""
    return Asset(name=f"{dag_id}/mean", uri=mean_uri(dag_id))


def series_asset(series: str) -> Asset:
    """The asset of a series, with the day of each result (`2026-01-02`) as the partition key of its event.

    Its events come from DAGs whose params have this series, `mean_face_dag(params={"series": ...})`.
    """
    return Asset(name=f"meanface/series/{series}", uri=series_uri(series))


@contextmanager
def _records(context: Any) -> Iterator[RunRecords]:
    try:
        yield RunRecords.at(redis_url_or_fail(context), run_name(context["ti"].dag_id, context["run_id"]))
    except RecordError as refused:
        fail_task(StageRefused(str(refused)), context)
    except RedisError as failure:
        fail_task(StageFailed(f"cannot read Redis through Airflow's connection {CONNECTION_ID}: {failure}"), context)


@task(retry_policy=RETRY_POLICY)
def list_partitions(**context: Any) -> list[int]:
    """Indices of the run's partitions, one for each embed task."""
    with _records(context) as records:
        return partitions(records.manifest())


@dag_result
@task(multiple_outputs=False, retry_policy=RETRY_POLICY)
def publish(**context: Any) -> dict[str, Any]:
    """Pass the result on: summary and mean, the XCom `mean_vector`, and events of its assets.

    What it returns is the run's result in Airflow, which the REST API's `wait` answers.
    """
    with _records(context) as records:
        result = records.result()
        published = summary(result)
    context["ti"].xcom_push("mean_vector", result["mean"])
    context["outlet_events"][mean_asset(context["ti"].dag_id)].extra = published
    for alias in context["outlets"]:
        if isinstance(alias, AssetAlias):
            context["outlet_events"][alias].add(Asset(uri=to_uri(published["location"])), extra=published)
    return published | {"mean": result["mean"]}


@task
def publish_day(result: dict[str, Any], **context: Any) -> None:
    """Pass a result of the DAG's series on: an event of the series' asset, with the day as partition key.

    The day is that of the dataset's `%Y/%m/%d`. A run in another series, or in none, is skipped.
    """
    series = context["params"]["series"]
    if series is None or series_asset(series) not in context["outlets"]:
        raise AirflowSkipException(f"series {series!r} is not that of the DAG, so its asset gets no event")
    event = context["outlet_events"][series_asset(series)]
    event.add_partitions(run_date(cast("Context", context))[: len("2026-01-02")])
    event.extra = {name: value for name, value in result.items() if name != "mean"}
