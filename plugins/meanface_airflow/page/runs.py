"""The DAG's runs and their task instances, from Airflow's database.

Each function's session is closed when it returns, in the same thread: a request holds no connection to the database
while it waits for Redis, and a browser that goes away leaves none behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import and_, func, select

from meanface_airflow.exits import ERROR
from meanface_airflow.links import DAG_ID
from meanface_airflow.page.checked import reason
from meanface_airflow.page.partitions import Task

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement

MAPPED = "embed"
STAGES = ("plan", "list_partitions", "reduce", "publish")
ORDER = ("plan", "list_partitions", MAPPED, "reduce", "publish")
ENDED = frozenset({"success", "failed"})
FAILING = ("failed", "up_for_retry")


@dataclass(frozen=True)
class Run:
    """A run of the DAG; times in seconds since 1970."""

    run: str
    state: str
    kind: str
    queued_at: float | None
    started_at: float | None
    ended_at: float | None

    @property
    def ended(self) -> bool:
        """Whether Airflow is done with it."""
        return self.state in ENDED


@dataclass(frozen=True)
class Tasks:
    """A run's task instances: the stages by name, the embed tasks by partition."""

    stages: dict[str, str | None]
    partitions: dict[int, Task]


@dataclass(frozen=True)
class Failure:
    """Why tasks of one stage failed: those of a state, with the reason of one of them."""

    stage: str
    state: str
    """`failed`, or `up_for_retry`"""
    tasks: int
    partition: int | None
    """of the task that gave the reason"""
    reason: str | None
    """None where no task gave one: Airflow or a person ended them"""


_COLUMNS = (DagRun.run_id, DagRun.state, DagRun.run_type, DagRun.run_after, DagRun.start_date, DagRun.end_date)


def latest(count: int) -> list[Run]:
    """The latest runs, newest first."""
    order = (DagRun.run_after.desc(), DagRun.id.desc())
    with create_session(scoped=False) as session:
        rows = session.execute(select(*_COLUMNS).where(DagRun.dag_id == DAG_ID).order_by(*order).limit(count)).all()
    return [_run(*row) for row in rows]


def find(run: str) -> Run | None:
    """One run; None where there is none of that name."""
    with create_session(scoped=False) as session:
        row = session.execute(select(*_COLUMNS).where(DagRun.dag_id == DAG_ID, DagRun.run_id == run)).first()
    return _run(*row) if row else None


def tasks(run: str) -> Tasks:
    """A run's task instances. `list_partitions` hands out the partitions in order: a map index is a partition."""
    columns = (TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state, TaskInstance.try_number)
    asked = select(*columns).where(TaskInstance.dag_id == DAG_ID, TaskInstance.run_id == run)
    with create_session(scoped=False) as session:
        rows = session.execute(asked).all()
    return Tasks(
        stages={task: _word(state) for task, _, state, _ in rows if task in STAGES},
        partitions={index: Task(_word(state), tried) for task, index, state, tried in rows if task == MAPPED},
    )


def failures(names: Collection[str]) -> dict[str, list[Failure]]:
    """Why tasks of these runs failed, by run; of tasks of one stage and state, the first that gave a reason."""
    state, here = TaskInstance.state, (TaskInstance.dag_id == DAG_ID, TaskInstance.run_id.in_(names))
    columns = (TaskInstance.run_id, TaskInstance.task_id, state.label("state"), func.count().label("tasks"))
    asked = select(*columns, func.min(XComModel.map_index).label("map_index"))
    asked = asked.outerjoin(XComModel, _error_of(TaskInstance)).where(*here, state.in_(FAILING))
    found = asked.group_by(TaskInstance.run_id, TaskInstance.task_id, state).subquery()
    with create_session(scoped=False) as session:
        reasons = select(found, XComModel.value).outerjoin(XComModel, _error_of(found.c))
        rows = sorted(session.execute(reasons).all(), key=lambda row: (*ORDER, row[1]).index(row[1]))
    told: dict[str, list[Failure]] = {}
    for run, task, ended, tasks, index, value in rows:
        partition = index if task == MAPPED else None
        told.setdefault(run, []).append(Failure(task, str(_word(ended)), tasks, partition, reason(value)))
    return told


def _error_of(task: Any) -> ColumnElement[bool]:
    """The XCom with the reason of a task's failure."""
    same = (task.run_id == XComModel.run_id, task.task_id == XComModel.task_id, task.map_index == XComModel.map_index)
    return and_(XComModel.dag_id == DAG_ID, XComModel.key == ERROR, *same)


def _run(
    run: str, state: str, kind: str, queued: datetime | None, started: datetime | None, ended: datetime | None
) -> Run:
    return Run(
        run, str(_word(state)), str(_word(kind)), *(at.timestamp() if at else None for at in (queued, started, ended))
    )


def _word(value: str | None) -> str | None:
    """An enumeration's value as a plain text."""
    return None if value is None else str(getattr(value, "value", value))
