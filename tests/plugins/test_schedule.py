"""The day that a run computes, as the scheduler knows the DAG's timetable, and the DAG's mapped task."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import CronDataIntervalTimetable, CronPartitionTimetable, CronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables import interval, trigger
from airflow.timetables.base import TimeRestriction

from meanface_airflow import mean_face_dag
from meanface_airflow.arguments import StageArguments
from meanface_airflow.errors import RetryUnlessRefused
from meanface_airflow.pod import MAX_DURATION
from meanface_airflow.settings import settings

DAGS = Path(__file__).parents[2] / "dags"
START = pendulum.datetime(2024, 1, 1)
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern")  # Airflow's own, when it looks for plugins


def the_dag():
    bag = DagBag(dag_folder=str(DAGS))
    assert bag.import_errors == {}
    return bag.dags["meanface"]


def scheduled(dag):
    """The DAG as the scheduler knows it."""
    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def date_of(dag, run):
    """The date that a run passes to `meanface plan`."""
    context = {"logical_date": run.logical_date, "partition_date": run.partition_date, "dag": dag, "params": {}}
    context |= {"dag_run": run, "run_id": "run", "ti": SimpleNamespace(dag_id=dag.dag_id)}
    (date,) = (word for word in StageArguments("plan")(context) if word.startswith("--date="))
    return date.removeprefix("--date=")


@pytest.fixture
def run_at(monkeypatch):
    """The run that the scheduler starts at a moment: when, and of which date."""

    def at(dag, moment):
        now = pendulum.parse(moment).add(seconds=1)
        for module in (interval, trigger):
            monkeypatch.setattr(module, "utcnow", lambda: now)
        restriction = TimeRestriction(earliest=START, latest=None, catchup=False)
        run = scheduled(dag).timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)
        assert run.run_after == datetime.fromisoformat(moment)
        return date_of(dag, run)

    return at


def test_the_run_of_a_midnight_computes_the_day_that_has_ended(run_at):
    assert run_at(the_dag(), "2026-01-03T00:00:00+00:00") == "2026-01-02T00:00:00+00:00"


def test_a_backfill_computes_the_days_that_it_names():
    first, last = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC)
    runs = scheduled(the_dag()).iter_dagrun_infos_between(first, last)
    assert [date_of(the_dag(), run)[:10] for run in runs] == ["2026-02-01", "2026-02-02", "2026-02-03"]


@pytest.mark.parametrize(
    ("schedule", "moment", "date"),
    [
        ("0 3 * * *", "2026-01-03T03:00:00+00:00", "2026-01-02T03:00:00+00:00"),
        ("@hourly", "2026-01-03T00:00:00+00:00", "2026-01-02T23:00:00+00:00"),
        ("@monthly", "2026-01-01T00:00:00+00:00", "2025-12-01T00:00:00+00:00"),
        (timedelta(days=1), "2026-01-03T00:00:00+00:00", "2026-01-02T00:00:00+00:00"),
    ],
)
def test_a_schedule_of_ones_own_has_the_interval_that_has_ended(run_at, schedule, moment, date):
    assert run_at(mean_face_dag("family", schedule=schedule), moment) == date


@pytest.mark.parametrize(
    "timetable",
    [
        CronTriggerTimetable("0 0 * * *", timezone="UTC"),
        CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        CronPartitionTimetable("0 0 * * *", timezone="UTC"),
    ],
)
def test_a_timetable_of_ones_own_stays_as_it_is(timetable):
    assert mean_face_dag("family", schedule=timetable).timetable is timetable


@pytest.mark.parametrize("schedule", [None, "@once"])
def test_a_schedule_without_intervals_stays_as_it_is(schedule):
    assert not hasattr(mean_face_dag("family", schedule=schedule).timetable, "expression")


def test_a_day_is_that_of_the_schedules_time_zone(run_at):
    """Midnight in Berlin is 23:00 in UTC, of the day before."""
    berlin = {"timezone": "Europe/Berlin"}
    partitions = CronPartitionTimetable("0 0 * * *", run_offset=-1, **berlin)
    for schedule in (partitions, CronDataIntervalTimetable("0 0 * * *", **berlin)):
        dag = mean_face_dag("family", schedule=schedule)
        assert run_at(dag, "2026-01-02T23:00:00+00:00") == "2026-01-02T00:00:00+01:00"


def test_a_time_zone_may_be_that_of_the_start_or_of_a_timetable_of_airflows_core(run_at):
    at_home = pendulum.datetime(2024, 1, 1, tz="Europe/Berlin")
    core = interval.CronDataIntervalTimetable("0 0 * * *", timezone="Europe/Berlin")
    for options in ({"schedule": "@daily", "start_date": at_home}, {"schedule": core}):
        dag = mean_face_dag("family", **options)
        assert run_at(dag, "2026-01-02T23:00:00+00:00") == "2026-01-02T00:00:00+01:00"


def test_the_dag_has_the_params_of_the_settings(monkeypatch):
    monkeypatch.setenv("MEANFACE_DAG_PARAMS", '{"dataset": "s3://photos/%Y/%m/%d/", "series": "days"}')
    settings.cache_clear()
    try:
        dag = the_dag()
    finally:
        settings.cache_clear()
    assert (dag.params["dataset"], dag.params["series"]) == ("s3://photos/%Y/%m/%d/", "days")
    assert "publish_day" in dag.task_dict


def test_a_partitions_task_retries_and_ends_as_the_other_stages_do():
    """Airflow passes its own defaults to the operator of a mapped task, unless the operator's parameters have some."""
    dag = the_dag()
    for task in (dag.get_task("embed").unmap({"partition": 3}), dag.get_task("embed"), dag.get_task("reduce")):
        assert isinstance(task.retry_policy, RetryUnlessRefused)
        assert task.execution_timeout == MAX_DURATION
    assert scheduled(dag).get_task("embed").has_retry_policy


def test_default_args_are_those_of_all_stages():
    given = {
        "poll_interval": 60,
        "execution_timeout": timedelta(hours=1),
        "retry_policy": None,
        "labels": {"team": "a"},
    }
    dag = mean_face_dag("family", default_args=given)
    for task in (dag.get_task("plan"), dag.get_task("embed").unmap({"partition": 3}), dag.get_task("reduce")):
        assert (task.poll_interval, task.execution_timeout) == (60, timedelta(hours=1))
        assert task.retry_policy is None
        assert task.labels.items() >= {"team": "a", "app.kubernetes.io/name": "meanface"}.items()
