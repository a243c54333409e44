"""The example of a consumer: a mean that moves fails its task, noise does not."""

import random
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from meanface_airflow.example_dags import drift as drift_module
from meanface_airflow.example_dags.drift import MEAN, drift


def day(shift, faces=200, seed=1):
    """A day's result in a series of 20 such days without a shift, of faces with 128 components."""
    noise = random.Random(seed)
    spread = 0.05
    mean = [noise.gauss(shift, spread / faces**0.5) for _ in range(128)]
    rest = [noise.gauss(0, spread / (19 * faces) ** 0.5) for _ in range(128)]
    series = [(one + 19 * other) / 20 for one, other in zip(mean, rest, strict=True)]
    return {
        "faces": faces,
        "mean": mean,
        "standard_error": [spread / faces**0.5] * 128,
        "series": {"mean": series, "faces": 20 * faces},
    }


def test_noise_is_about_one():
    assert [drift(day(0, seed=seed)) for seed in range(20)] == [pytest.approx(1, abs=0.3)] * 20


def test_a_shift_is_more():
    assert all(drift(day(0.02, seed=seed)) > 3 for seed in range(20))


@pytest.mark.parametrize("change", [{"series": None}, {"standard_error": None}, {"series": {"mean": [], "faces": 200}}])
def test_what_cannot_be_compared_is_none(change):
    assert drift(day(0) | change) is None


def test_it_is_a_dag_that_waits_for_the_asset(tmp_path):
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=drift_module.__file__)
    assert (bag.import_errors, list(bag.dags)) == ({}, ["mean_face_drift"])
    assert MEAN.name in str(bag.dags["mean_face_drift"].timetable.asset_condition)


@pytest.fixture
def compare(monkeypatch):
    """The task, started by several results at once."""

    def over(results):
        records = SimpleNamespace(at=lambda _, run: SimpleNamespace(result=lambda: results[run]))
        monkeypatch.setattr(drift_module, "redis_url", lambda: "redis://")
        monkeypatch.setattr(drift_module, "RunRecords", records)
        events = [SimpleNamespace(extra={"run": run, "location": f"s3://b/{run}"}) for run in results]
        return drift_module.compare.function(triggering_asset_events={MEAN: events}, params={"limit": 3.0})

    return over


def test_every_result_is_compared(compare):
    """Airflow starts one run for the events that have come meanwhile."""
    with pytest.raises(AirflowFailException, match=r"^run moved: its mean is .*s3://b/moved/report\.html$"):
        compare({"quiet": day(0), "moved": day(0.02), "last": day(0, seed=2)})


def test_a_result_without_a_series_hides_no_other(compare):
    assert compare({"quiet": day(0), "alone": day(0) | {"series": None}}) == pytest.approx(1, abs=0.3)
    with pytest.raises(AirflowSkipException, match="no earlier results to compare with: alone"):
        compare({"alone": day(0) | {"series": None}})
