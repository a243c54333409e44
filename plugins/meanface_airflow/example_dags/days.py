"""Follow the days of a series: check each day, and compute the mean of each complete week.

Both DAGs wait for the asset of the series `days`, which a DAG with that series in its params updates:
`mean_face_dag("family", params={"dataset": "s3://photos/%Y/%m/%d/", "series": "days"})`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    Param,
    PartitionedAssetTimetable,
    RollupMapper,
    StartOfDayMapper,
    StartOfWeekMapper,
    WeekWindow,
    task,
)
from airflow.sdk.exceptions import AirflowFailException

from meanface_airflow import series_asset
from meanface_airflow.connection import redis_url
from meanface_airflow.records import RunRecords

if TYPE_CHECKING:
    from collections.abc import Iterable

DAYS = series_asset("days")
DAY = "%Y-%m-%d"
"""format of the partition keys"""


def combined(results: Iterable[dict[str, Any]]) -> list[float]:
    """The mean over all faces of several results, from the mean and the number of faces of each.

    >>> combined([{"faces": 3, "mean": [1.0, 0.0]}, {"faces": 1, "mean": [0.0, 2.0]}])
    [0.75, 0.5]
    """
    weighted = [(result["faces"], result["mean"]) for result in results]
    faces = sum(count for count, _ in weighted)
    return [
        math.fsum(count * one for (count, _), one in zip(weighted, column, strict=True)) / faces
        for column in zip(*(mean for _, mean in weighted), strict=True)
    ]


with DAG(
    dag_id="mean_face_day",
    description="Check each day of a series",
    doc_md=__doc__,
    tags=["faces"],
    schedule=PartitionedAssetTimetable(assets=DAYS, default_partition_mapper=StartOfDayMapper(input_format=DAY)),
    params={"least": Param(0.5, type="number", description="Least fraction of photos with a face.")},
):

    @task(inlets=[DAYS])
    def check(**context: Any) -> float:
        """The day's fraction of photos with a face; the task fails if it is too small."""
        day = context["triggering_asset_events"][DAYS][-1].extra
        found: float = day["photos_with_face"] / day["photos"]
        if found < context["params"]["least"]:
            raise AirflowFailException(
                f"day {context['partition_key']}: {found:.0%} of {day['photos']} photos have a face; "
                f"see {day['location']}/report.html"
            )
        return found

    check()


with DAG(
    dag_id="mean_face_week",
    description="The mean of each complete week of a series",
    doc_md=__doc__,
    tags=["faces"],
    schedule=PartitionedAssetTimetable(
        assets=DAYS,
        default_partition_mapper=RollupMapper(upstream_mapper=StartOfWeekMapper(input_format=DAY), window=WeekWindow()),
    ),
):

    @task(inlets=[DAYS])
    def average(**context: Any) -> list[float]:
        """The mean of the seven days; of a day that was repeated, the last result counts."""
        days = {event.partition_key: event.extra["run"] for event in context["triggering_asset_events"][DAYS]}
        return combined(RunRecords.at(redis_url(), run).result() for run in days.values())

    average()
