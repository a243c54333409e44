"""The DAG, for a team that wants several with other defaults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    Asset,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
)

from meanface_airflow import params as form
from meanface_airflow.deadline import alert
from meanface_airflow.naming import DAG_ID, TAG, checked_dag_id
from meanface_airflow.runtime import StageOperator
from meanface_airflow.settings import settings
from meanface_airflow.tasks import list_partitions, mean_asset, publish, publish_day, series_asset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow.sdk import AssetAlias
    from airflow.sdk.definitions.deadline import DeadlineAlert

DOCUMENTATION = """\
The mean face embedding of a photo collection.

`plan` lists the photos of a dataset and splits them into partitions. One `embed` task per partition
finds the faces and computes their embeddings. `reduce` merges the exact sums of the partitions, and
`publish` passes the mean on.

| where | what |
|---|---|
| XCom `return_value` of `publish` | photos, faces, outcomes, fingerprint, norm, addresses of the files, mean |
| XCom `mean_vector` of `publish` | the mean embedding, a list of floats |
| XCom `error` of a failed task | why it failed, in one sentence |
| asset `{dag_id}/mean` | one event per result |
| asset `meanface/series/NAME` | one event per day, if the DAG's params have the `series` NAME |
| the run's folder in storage | `result.json`, `mean.npy`, `mean_face.png`, `report.html`, `failures.csv`, `ledger/` |

Trigger the DAG with a `dataset`, or let the schedule fill in a dated one such as
`s3://photos/%Y/%m/%d/`: the run that starts at midnight has the day that has ended. For past days
use `airflow backfill create --dag-id {dag_id} --from-date ... --to-date ...`. A `series` has the
mean over all its runs.

A retried or cleared task computes no photo twice and changes no bit of the mean. To retry photos
that could not be read, clear the run from `plan` on after it has ended. This also reads photos
again whose version is unknown.
"""

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "meanface",
    "retries": 4,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=10),
}
OPTIONS: dict[str, Any] = {
    "description": "The mean face embedding of a photo collection",
    "schedule": "@daily",
    "start_date": datetime(2024, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 4,
}
NOTHING_ELSE: dict[str, Any] = {"tags": (), "default_args": None, "deadline": None, "results": None}
"""arguments of `mean_face_dag` beside the id and the params"""
_PREPARED: dict[str, tuple[Mapping[str, Any], DAG]] = {}
"""by id: the params, and the DAG that `prepare_dag` has made with them"""


def mean_face_dag(
    dag_id: str = DAG_ID,
    *,
    params: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
    default_args: Mapping[str, Any] | None = None,
    deadline: timedelta | DeadlineAlert | None = None,
    results: AssetAlias | None = None,
    **options: Any,
) -> DAG:
    """Make a DAG that computes the mean face of a dataset.

    ::

        from meanface_airflow import mean_face_dag

        mean_face_dag("lfw_mean", params={"dataset": "lfw", "labels": "parent_folder"}, schedule=None)

    Parameters
    ----------
    dag_id
        letters, digits and `._-`
    params
        defaults of the trigger form, by the names of meanface's settings, such as `dataset`, which
        may be an `Asset` with the address as URI; with a `series`, each of its runs also updates
        `series_asset(series)`, by days
    tags
        beside the tag `meanface`, by which the progress page finds the DAG
    default_args
        arguments of all tasks, beside `DEFAULT_ARGS`
    deadline
        how long a run may take: a later one is reported in the triggerer's log; a `DeadlineAlert` of
        Airflow names another callback
    results
        an alias that gets an asset and an event for each result: the address of the run's folder
    options
        other arguments of Airflow's `DAG`, in place of `OPTIONS`; of a `schedule` that is a cron string or
        a `timedelta`, each run has the date of the interval that has ended

    Raises
    ------
    ValueError
        for an invalid id or deadline, and for a param that the form does not have
    """
    others = {"tags": tags, "default_args": default_args, "deadline": deadline, "results": results, **options}
    prepared_for, dag = _PREPARED.pop(dag_id, (None, None))  # once: the caller may change what it gets
    if dag is None or params != prepared_for or others != NOTHING_ELSE:
        return _make(dag_id, params, **others)
    with dag:  # Airflow registers the DAGs of a file when their context ends
        return dag


def prepare_dag(dag_id: str, params: Mapping[str, Any]) -> None:
    """Make a DAG for the next `mean_face_dag` with these params, in this process or in one that is forked from it."""
    _PREPARED[dag_id] = params, _make(dag_id, params, **NOTHING_ELSE)


def _make(
    dag_id: str,
    params: Mapping[str, Any] | None,
    *,
    tags: Iterable[str],
    default_args: Mapping[str, Any] | None,
    deadline: timedelta | DeadlineAlert | None,
    results: AssetAlias | None,
    **options: Any,
) -> DAG:
    """The DAG of `mean_face_dag`."""
    arguments = {"pool": settings().pool, **DEFAULT_ARGS, **(default_args or {})}
    values = dict(params or {})
    photos = [values["dataset"]] if isinstance(values.get("dataset"), Asset) else []
    if photos:
        values["dataset"] = photos[0].uri
    text = {"doc_md": DOCUMENTATION.format(dag_id=dag_id)}
    with DAG(
        dag_id=checked_dag_id(dag_id),
        tags={TAG, "faces", "embeddings", *tags},
        params=form.for_airflow(values),
        default_args=arguments,
        deadline=alert(deadline) if deadline is not None else None,
        **(OPTIONS | text | options),
    ) as dag:
        dag.timetable = _of_ended_intervals(dag)
        plan = StageOperator(task_id="plan", stage="plan", inlets=photos)
        partitions = list_partitions()
        embed = StageOperator.partial(task_id="embed", stage="embed").expand(partition=partitions)
        reduce = StageOperator(task_id="reduce", stage="reduce")
        outlets = [mean_asset(dag_id), *([results] if results else [])]
        result = publish.override(outlets=outlets)()
        plan >> partitions >> embed >> reduce >> result
        if series := dag.params["series"]:
            publish_day.override(outlets=[series_asset(series)])(result)
    return dag


def _of_ended_intervals(dag: DAG) -> Any:
    """The DAG's timetable, in which a run of a cron string or a `timedelta` has the interval that has ended.

    By default, Airflow gives such a run the time of its start. At midnight this is the day that begins, which
    has no photos yet. A timetable that the caller has made stays as it is.
    """
    made = dag.timetable
    if made is dag.schedule:
        return made
    if isinstance(made, CronTriggerTimetable):
        return CronDataIntervalTimetable(made.expression, made.timezone)
    return DeltaDataIntervalTimetable(made.delta) if isinstance(made, DeltaTriggerTimetable) else made
