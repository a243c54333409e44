"""The command line of a stage, pure; the same for a pod and a local process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meanface_airflow.exits import StageRefused, end

if TYPE_CHECKING:
    from airflow.sdk import Context


def options(values: Mapping[str, Any]) -> list[str]:
    """Options by name, in one word each, so that no value can pass for an option; nothing for what is not set.

    What is false is said, too: its default may be true.

    >>> options({"dataset": "s3://photos", "checksum": None, "partition_size": 500, "exif_orientation": False})
    ['--dataset=s3://photos', '--partition-size=500', '--no-exif-orientation']
    >>> options({"face_pixels": False})
    ['--no-face-pixels']
    """
    words = []
    for name, value in values.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif not (value is None or value == ""):
            words.append(f"--{option}={value}")
    return words


def plan(run: str, date: str, params: Mapping[str, Any]) -> list[str]:
    """`meanface plan`: every param is an option, also one that the DAG does not know, for the stage to refuse."""
    return ["plan", *options({**params, "run": run, "date": date})]


def embed(run: str, partition: int, attempt: int, workers: int) -> list[str]:
    """`meanface embed`: one partition."""
    return ["embed", *options({"run": run, "partition": partition, "attempt": attempt, "workers": workers or None})]


def reduce(run: str) -> list[str]:
    """`meanface reduce`."""
    return ["reduce", *options({"run": run})]


NO_DATE = (
    "series: the run has no logical date, so that a second run of the same photos would count them twice. Trigger it "
    "with the date of its part of the series: `--logical-date` of `airflow dags trigger`, `logical_date` of the REST "
    "API, or the form's field Logical Date. To do a part again, clear its run"
)


@dataclass(frozen=True)
class StageArguments:
    """A stage's arguments as a template field: Airflow calls it with the task's context.

    Params reach the command line without passing through Jinja, which would make text of None and templates of text.
    """

    stage: str
    partition: int | None = None
    workers: int = 0

    def __call__(self, context: Context, jinja_env: object = None) -> list[str]:  # noqa: ARG002  Airflow's signature
        """The arguments, `plan`, `embed` or `reduce` first.

        Raises
        ------
        StageRefused
            where the run is to be in a series and has no logical date, which says what part of it the run is
        """
        run = context["run_id"]
        if self.stage == "plan":
            if context["params"].get("series") and context.get("logical_date") is None:
                end(StageRefused(NO_DATE), context)
            return plan(run, date(context), context["params"])
        if self.stage == "embed" and self.partition is not None:
            return embed(run, self.partition, context["ti"].try_number, self.workers)
        if self.stage == "reduce":
            return reduce(run)
        raise ValueError(f"no stage {self.stage!r} with partition {self.partition}")


def date(context: Context) -> str:
    """What fills a dataset's `%Y/%m/%d`: the logical date; for a manual run without one, when it was to start."""
    logical = context.get("logical_date") or context["dag_run"].run_after
    return logical.isoformat()
