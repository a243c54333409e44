"""The example of consumers of a series: one for each day, one for each complete week."""

import doctest

import pytest

from meanface_airflow.example_dags import days


@pytest.fixture(scope="module")
def timetables():
    """The DAGs' schedules as the scheduler knows them."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    bag = DagBag(dag_folder=days.__file__)
    assert bag.import_errors == {}
    return {name: DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable for name, dag in bag.dags.items()}


def mapper(timetable):
    return timetable.get_partition_mapper(name=days.DAYS.name, uri=days.DAYS.uri)


def test_examples():
    assert doctest.testmod(days).failed == 0


def test_a_day_is_a_run(timetables):
    assert mapper(timetables["mean_face_day"]).to_downstream("2026-01-07") == "2026-01-07"


def test_a_week_waits_for_its_seven_days(timetables):
    week = mapper(timetables["mean_face_week"])
    assert week.to_downstream("2026-01-07") == week.to_downstream("2026-01-11") == "2026-01-05 (W02)"
    assert week.to_upstream("2026-01-05 (W02)") == {f"2026-01-{day:02}" for day in range(5, 12)}


def test_the_mean_of_several_days_is_weighted_by_their_faces():
    results = [{"faces": 1, "mean": [0.0, 4.0]}, {"faces": 3, "mean": [4.0, 0.0]}]
    assert days.combined(results) == [3.0, 1.0]
