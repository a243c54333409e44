"""The runs of DAGs and their task instances, from Airflow's database.

Each function closes its session before it returns, in the same thread. So a request holds no
database connection while it waits for Redis, and a browser that disconnects leaves none open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import and_, func, select, true

from meanface_airflow.errors import ERROR_KEY
from meanface_airflow.naming import DAG_ID, TAG, run_name
from meanface_airflow.page.models import reason
from meanface_airflow.page.partitions import Task

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement

MAPPED = "embed"
STAGES = ("plan", "list_partitions", "reduce", "publish")
ORDER = ("plan", "list_partitions", MAPPED, "reduce", "publish")
ENDED = frozenset({"success", "failed"})
FAILING = ("failed", "up_for_retry")
WITHHELD = "you may not read the reason, which is an XCom of the task"


@dataclass(frozen=True)
class Run:
    """A run of a DAG; times are in seconds since 1970."""

    dag: str
    run: str
    state: str
    kind: str
    queued_at: float | None
    started_at: float | None
    ended_at: float | None

    @property
    def name(self) -> str:
        """Its name in Redis and in storage."""
        return run_name(self.dag, self.run)

    @property
    def ended(self) -> bool:
        """Whether the run has succeeded or failed."""
        return self.state in ENDED


@dataclass(frozen=True)
class Tasks:
    """A run's task instances: embed tasks by partition, all others by name."""

    stages: dict[str, str | None]
    partitions: dict[int, Task]


@dataclass(frozen=True)
class Failure:
    """The failed tasks of one stage in one state, with the reason of one of them."""

    stage: str
    state: str
    """`failed`, or `up_for_retry`"""
    tasks: int
    partition: int | None
    """of the task with the reason"""
    reason: str | None
    """None if no task left one, because Airflow or a user ended the tasks"""


_COLUMNS = (
    *(DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.run_type),
    *(DagRun.run_after, DagRun.start_date, DagRun.end_date),
)


def dags() -> list[str]:
    """The DAGs that were made by `mean_face_dag`, by their tag, sorted."""
    query = select(DagTag.dag_id).join(DagModel, DagModel.dag_id == DagTag.dag_id)
    with create_session(scoped=False) as session:
        return sorted(session.scalars(query.where(DagTag.name == TAG, DagModel.is_stale.is_(False))))


def is_ours(dag: str) -> bool:
    """Whether a DAG has meanface's tag; the default DAG counts before Airflow has parsed it."""
    with create_session(scoped=False) as session:
        return bool(session.scalar(select(_ours(dag))))


def latest(dag: str, count: int) -> list[Run]:
    """The latest runs of a DAG, newest first."""
    order = (DagRun.run_after.desc(), DagRun.id.desc())
    with create_session(scoped=False) as session:
        rows = session.execute(select(*_COLUMNS).where(DagRun.dag_id == dag).order_by(*order).limit(count)).all()
    return [_run(row) for row in rows]


def find(dag: str, run: str) -> Run | None:
    """The run of this id, or None, also if `mean_face_dag` has not made its DAG."""
    with create_session(scoped=False) as session:
        row = session.execute(select(*_COLUMNS).where(DagRun.dag_id == dag, DagRun.run_id == run, _ours(dag))).first()
    return _run(row) if row else None


def tasks(dag: str, run: str) -> Tasks:
    """A run's task instances. The map index of an embed task is its partition's index."""
    columns = (TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state, TaskInstance.try_number)
    query = select(*columns).where(TaskInstance.dag_id == dag, TaskInstance.run_id == run)
    with create_session(scoped=False) as session:
        rows = session.execute(query).all()
    return Tasks(
        stages={task: _text(state) for task, _, state, _ in rows if task in STAGES},
        partitions={index: Task(_text(state), tried) for task, index, state, tried in rows if task == MAPPED},
    )


def failures(dag: str, names: Collection[str], *, with_reasons: bool) -> dict[str, list[Failure]]:
    """Which tasks of these runs of a DAG failed, by run, with one reason for each stage and state, or `WITHHELD`."""
    state, of_runs = TaskInstance.state, (TaskInstance.dag_id == dag, TaskInstance.run_id.in_(names))
    columns = (TaskInstance.run_id, TaskInstance.task_id, state.label("state"), func.count().label("tasks"))
    query = select(*columns, func.min(XComModel.map_index).label("map_index"))
    query = query.outerjoin(XComModel, _error_of(dag, TaskInstance)).where(*of_runs, state.in_(FAILING))
    groups = query.group_by(TaskInstance.run_id, TaskInstance.task_id, state).subquery()
    with create_session(scoped=False) as session:
        reasons = select(groups, XComModel.value).outerjoin(XComModel, _error_of(dag, groups.c))
        rows = sorted(session.execute(reasons).all(), key=lambda row: (*ORDER, row[1]).index(row[1]))
    by_run: dict[str, list[Failure]] = {}
    for run, task, ended, tasks, index, value in rows:
        partition = index if task == MAPPED else None
        why = reason(value) if with_reasons else WITHHELD
        by_run.setdefault(run, []).append(Failure(task, str(_text(ended)), tasks, partition, why))
    return by_run


def _ours(dag: str) -> ColumnElement[bool]:
    """A condition of SQL that holds for DAGs with meanface's tag."""
    return true() if dag == DAG_ID else select(DagTag.name).where(DagTag.dag_id == dag, DagTag.name == TAG).exists()


def _error_of(dag: str, task: Any) -> ColumnElement[bool]:
    """The condition for the XCom with the reason of a task's failure."""
    same = (task.run_id == XComModel.run_id, task.task_id == XComModel.task_id, task.map_index == XComModel.map_index)
    return and_(XComModel.dag_id == dag, XComModel.key == ERROR_KEY, *same)


def _run(row: Sequence[Any]) -> Run:
    """The run in a row of `_COLUMNS`."""
    dag, run, state, kind, *times = row
    return Run(dag, run, str(_text(state)), str(_text(kind)), *(at.timestamp() if at else None for at in times))


def _text(value: str | None) -> str | None:
    """An enumeration's value as plain text."""
    return None if value is None else str(getattr(value, "value", value))
