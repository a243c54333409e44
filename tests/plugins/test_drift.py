"""The example of a consumer: a mean that moves fails its task, noise does not."""

import random

import pytest

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
