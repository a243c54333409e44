"""The mean face embedding of a photo collection.

`plan` lists the photos of a dataset and splits them into partitions. One `embed` task per partition
finds the faces and computes their embeddings. `reduce` merges the exact sums of the partitions, and
`publish` passes the mean on.

| where | what |
|---|---|
| XCom `return_value` of `publish` | photos, faces, outcomes, fingerprint, norm, addresses of the files |
| XCom `mean_vector` of `publish` | the mean embedding, 128 floats |
| XCom `error` of a failed task | why it failed, in one sentence |
| asset `meanface/mean` | one event per result |
| the run's folder in storage | `result.json`, `mean.npy`, `mean_face.png`, `report.html`, `failures.csv`, `ledger/` |

Trigger the DAG with a `dataset`, or let the daily schedule fill in a dated one such as
`s3://photos/%Y/%m/%d/`. For past days use `airflow backfill create --dag-id meanface --from-date
... --to-date ...`. A `series` has the mean over all its runs.

A retried or cleared task computes no photo twice and changes no bit of the mean. To retry photos
that could not be read, clear the run from `plan` on after it has ended. This also reads photos
again whose version is unknown.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from meanface_airflow import params
from meanface_airflow.runtime import StageOperator
from meanface_airflow.settings import settings
from meanface_airflow.tasks import list_partitions, publish

with DAG(
    dag_id="meanface",
    description="The mean face embedding of a photo collection",
    doc_md=__doc__,
    tags=["faces", "embeddings"],
    schedule="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    params=params.for_airflow(),
    default_args={
        "owner": "meanface",
        "pool": settings().pool,
        "retries": 4,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
    },
):
    plan = StageOperator(task_id="plan", stage="plan")
    partitions = list_partitions()
    embed = StageOperator.partial(
        task_id="embed", stage="embed", map_index_template="partition {{ task.partition }}"
    ).expand(partition=partitions)
    reduce = StageOperator(task_id="reduce", stage="reduce")

    plan >> partitions >> embed >> reduce >> publish()
