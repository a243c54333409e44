"""Compare each result with its series, and fail if the mean has moved by more than noise explains.

The DAG runs after results of the DAG `meanface` that belong to a series; Airflow may start one run
for several. It has a param `limit`: how many times the distance that noise alone would give is too much.
"""

from __future__ import annotations

import math
from typing import Any

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from meanface_airflow import mean_asset
from meanface_airflow.connection import redis_url
from meanface_airflow.records import RunRecords

MEAN = mean_asset("meanface")


def drift(result: dict[str, Any]) -> float | None:
    """Distance of a result's mean to its series' mean, divided by the one that noise alone would give.

    With n faces of N in the series, noise gives sqrt((1 - n / N) * sum(standard_error ** 2)), if faces
    are independent. None if nothing can be compared: no series, one face, or no other interval.

    >>> series = {"mean": [0.0, 0.0], "faces": 400}
    >>> drift({"faces": 100, "mean": [0.3, 0.4], "standard_error": [0.1, 0.1], "series": series})
    4.08...
    """
    series, errors = result["series"], result["standard_error"]
    if not series or not errors or series["faces"] <= result["faces"]:
        return None
    distance = math.dist(result["mean"], series["mean"])
    noise = math.sqrt((1 - result["faces"] / series["faces"]) * math.fsum(one * one for one in errors))
    return distance / noise if noise else None


with DAG(
    dag_id="mean_face_drift",
    description=__doc__.splitlines()[0],
    doc_md=__doc__,
    tags=["faces"],
    schedule=[MEAN],
    params={"limit": Param(3.0, type="number", exclusiveMinimum=0, description="Times the noise.")},
):

    @task(inlets=[MEAN])
    def compare(**context: Any) -> float:
        """The largest drift of the results that started this run; the task fails if one is beyond the limit."""
        events = {event.extra["run"]: event.extra for event in context["triggering_asset_events"][MEAN]}
        found = {run: drift(RunRecords.at(redis_url(), run).result()) for run in events}
        drifts = {run: one for run, one in found.items() if one is not None}
        if not drifts:
            raise AirflowSkipException(f"no earlier results to compare with: {', '.join(events)}")
        if moved := {run: one for run, one in drifts.items() if one > context["params"]["limit"]}:
            raise AirflowFailException(
                "; ".join(
                    f"run {run}: its mean is {one:.1f} times as far from its series as noise explains; "
                    f"see the faces farthest from the mean in {events[run]['location']}/report.html"
                    for run, one in moved.items()
                )
            )
        return max(drifts.values())

    compare()
