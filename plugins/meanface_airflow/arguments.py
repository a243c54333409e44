"""The command line of a stage, pure; it is the same for a pod and a local process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from meanface_airflow.errors import StageRefused, fail_task
from meanface_airflow.naming import run_name

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from airflow.sdk import Context


def options(values: Mapping[str, Any]) -> list[str]:
    """Turn values into options, each a single word, so that no value is read as another option.

    Values that are not set are left out. False is written out, because an option's default may be
    true. Of a list, each value is an option of its own.

    >>> options({"dataset": "s3://photos", "checksum": None, "exif_orientation": False})
    ['--dataset=s3://photos', '--no-exif-orientation']
    >>> options({"partition_size": 500, "face_pixels": True})
    ['--partition-size=500', '--face-pixels']
    >>> options({"include": ["a/*", "b/*"], "exclude": []})
    ['--include=a/*', '--include=b/*']
    """
    words = []
    for name, value in values.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif isinstance(value, list):
            words += [f"--{option}={one}" for one in value]
        elif not (value is None or value == ""):
            words.append(f"--{option}={value}")
    return words


def plan(run: str, date: str, params: Mapping[str, Any]) -> list[str]:
    """Arguments of `meanface plan`, which also gets unknown params and refuses them."""
    return ["plan", *options({**params, "run": run, "date": date})]


def embed(run: str, partition: int, attempt: int, workers: int) -> list[str]:
    """Arguments of `meanface embed` for one partition."""
    return ["embed", *options({"run": run, "partition": partition, "attempt": attempt, "workers": workers or None})]


def reduce(run: str) -> list[str]:
    """Arguments of `meanface reduce`."""
    return ["reduce", *options({"run": run})]


NO_LOGICAL_DATE = (
    "series: the run has no logical date. Without one, a second run of the same photos would count them twice. "
    "Trigger the run with a logical date: `--logical-date` of `airflow dags trigger`, `logical_date` in the REST API, "
    "or the form's field Logical Date. To do a run of the series again, clear it"
)


@dataclass(frozen=True)
class StageArguments:
    """A stage's arguments as a template field, which Airflow calls with the task's context.

    Params reach the command line without Jinja, which would turn None into text and render
    templates in a param's text.
    """

    stage: str
    partition: int | None = None
    workers: int = 0

    def __call__(self, context: Context, jinja_env: object = None) -> list[str]:  # noqa: ARG002  Airflow's signature
        """The arguments, `plan`, `embed` or `reduce` first.

        Raises
        ------
        StageRefused
            if the run belongs to a series and has neither a logical date nor a partition's date
        """
        run = run_name(context["ti"].dag_id, context["run_id"])
        if self.stage == "plan":
            if context["params"].get("series") and interval_date(context) is None:
                fail_task(StageRefused(NO_LOGICAL_DATE), context)
            return plan(run, run_date(context), context["params"])
        if self.stage == "embed" and self.partition is not None:
            return embed(run, self.partition, context["ti"].try_number, self.workers)
        if self.stage == "reduce":
            return reduce(run)
        raise ValueError(f"no stage {self.stage!r} with partition {self.partition}")


def run_date(context: Context) -> str:
    """The date that fills a dataset's `%Y/%m/%d`, in the time zone of the DAG's cron timetable, or else in UTC.

    It is the date of the run's interval, or for a run without one the time at which the run was to
    start.
    """
    date = interval_date(context) or context["dag_run"].run_after
    return date.astimezone(_zone(getattr(context.get("dag"), "timetable", None))).isoformat()


def _zone(timetable: object) -> tzinfo:
    """The time zone of a cron timetable of Airflow's SDK or of its core; UTC for any other."""
    zone: str | tzinfo = getattr(timetable, "timezone", getattr(timetable, "_timezone", UTC))
    return ZoneInfo(zone) if isinstance(zone, str) else zone


def interval_date(context: Context) -> datetime | None:
    """The date of a run's interval: its logical date, or that of its partition; None for a run without both.

    A run of a partitioned schedule, such as `CronPartitionTimetable`, has no logical date.
    """
    return context.get("logical_date") or context.get("partition_date")
