"""Assets and deadlines with a complete Airflow: one run, and what Airflow does with its events.

The DAG `meanface` of these tests is in the series `days`; the consumers are the example `days.py`.
"""

import os
import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from airflow.sdk import Asset

from laptop.api import ApiError
from meanface_airflow import mean_asset, series_asset
from meanface_airflow.example_dags import days
from meanface_airflow.naming import to_uri
from own_dags import airflow_with
from polling import until

CHECKOUT = Path(__file__).parents[2]
ARRIVALS = re.search(r"```python\n(.*?)```", (CHECKOUT / "docs/assets.md").read_text(), re.DOTALL)[1]
SAMPLE = CHECKOUT / "embedding_image/src/meanface/dataset/sample/photos"
MONDAY = date(2026, 1, 5)
WEEK = [(MONDAY + timedelta(days=number)).isoformat() for number in range(7)]
OURS = """
from datetime import UTC, datetime, timedelta
from airflow.sdk import DAG, Asset, AssetAlias, CronPartitionTimetable, task
from meanface_airflow import mean_asset, mean_face_dag

photos = Asset(name="photos", uri="file://{photos}/%Y/%m/%d")
mean_face_dag(
    "meanface",
    params={{"dataset": photos, "series": "days"}},
    results=AssetAlias("results"),
    deadline=timedelta(seconds=1),
    schedule=None,
)

mean_face_dag(
    "partitioned",
    params={{"dataset": photos, "series": "others"}},
    schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1),
    end_date=datetime(2026, 1, 9, tzinfo=UTC),
)

for name, asset in (("after_mean", mean_asset()), ("after_results", AssetAlias("results"))):
    with DAG(name, schedule=[asset]):

        @task
        def follow():
            pass

        follow()
"""
pytestmark = [pytest.mark.long, pytest.mark.timeout(3000)]
PATIENCE = 900


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Airflow with the DAGs, and a client of its API."""
    home, photos = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("photos")
    folder = photos / MONDAY.strftime("%Y/%m/%d")
    folder.mkdir(parents=True)
    (photos / "new").mkdir()
    face = next(photo for photo in sorted(SAMPLE.glob("*/*")) if photo.parent.name != "no_face")
    shutil.copy(face, folder)
    shutil.copy(face, photos / "new")
    dags = {
        "ours.py": OURS.format(photos=photos),
        "days.py": Path(days.__file__).read_text(),
        "arrivals.py": ARRIVALS.replace("/photos", str(photos)),
    }
    stages = os.environ.get("MEANFACE_EXECUTABLE") or str(CHECKOUT / ".venvs/meanface/bin/meanface")
    with airflow_with(home, dags, MEANFACE_EXECUTABLE=stages) as (services, client):
        yield services, client, photos


@pytest.fixture(scope="module")
def client(airflow):
    return airflow[1]


def runs(client, dag):
    return client.get(f"/api/v2/dags/{dag}/dagRuns?limit=100")["dag_runs"]


def ended(client, dag, count=1):
    """The runs of a DAG, once so many have succeeded."""

    def look():
        found = runs(client, dag)
        assert "failed" not in {run["state"] for run in found}
        return [run for run in found if run["state"] == "success"][count - 1 :] and found

    return until(look, PATIENCE, every=1)


def events(client, asset):
    """The id of an asset, and its events.

    Airflow 3.3 requires a start of every run that an event has created (`DagRunAssetReference`). So
    its response is an error as long as such a run is queued.
    """
    found = client.get("/api/v2/assets?limit=100")["assets"]
    (identity,) = (one["id"] for one in found if one["uri"] == asset.uri)

    def look():
        try:
            return client.get(f"/api/v2/assets/events?asset_id={identity}")["asset_events"]
        except ApiError as error:
            if error.status != 500:
                raise
            return None

    return identity, until(look, PATIENCE, every=1)


@pytest.fixture(scope="module")
def monday(client):
    """The run of a day, of the DAG with the series, and its summary."""
    name = client.trigger({}, date=f"{MONDAY}T00:00:00Z")
    (run,) = ended(client, "meanface")
    assert run["dag_run_id"] == name
    return name, client.xcom(name, "publish", "return_value")


def test_a_day_of_the_series_is_a_partition_of_its_asset(client, monday):
    _, (event,) = events(client, series_asset("days"))
    assert (event["partition_key"], event["source_task_id"]) == (MONDAY.isoformat(), "publish_day")
    assert event["extra"]["run"] == monday[0]
    assert event["extra"]["series"]["name"] == "days"


def test_the_asset_of_the_dag_still_starts_dags_without_partitions(client, monday):
    _, (event,) = events(client, mean_asset())
    assert (event["partition_key"], event["extra"]["run"]) == (None, monday[0])
    assert len(ended(client, "after_mean")) == 1


def test_a_consumer_runs_for_the_day(client, monday):
    (run,) = ended(client, "mean_face_day")
    assert (run["partition_key"], run["partition_date"]) == (MONDAY.isoformat(), f"{MONDAY}T00:00:00Z")


def test_a_run_outside_of_the_series_has_the_same_events_as_before(client, monday):
    name = client.trigger({"series": None}, date=f"{MONDAY}T01:00:00Z")
    ended(client, "meanface", 2)
    states = {task["task_id"]: task["state"] for task in client.tasks(name)}
    assert (states["publish"], states["publish_day"]) == ("success", "skipped")
    assert len(events(client, mean_asset())[1]) == 2
    assert len(events(client, series_asset("days"))[1]) == 1


def test_a_run_of_a_partitioned_schedule_is_in_the_series_by_the_date_of_its_partition(client):
    key = f"{MONDAY}T00:00:00"
    body = {"logical_date": None, "partition_key": key, "conf": {}}
    assert client._http.post("/api/v2/dags/partitioned/dagRuns", json=body).is_success
    (run,) = ended(client, "partitioned")
    assert (run["logical_date"], run["partition_key"]) == (None, key)
    (mean,), (day,) = (events(client, asset)[1] for asset in (mean_asset("partitioned"), series_asset("others")))
    assert (mean["partition_key"], day["partition_key"]) == (key, MONDAY.isoformat())
    assert mean["extra"]["series"]["interval"] == f"{key}Z"


def test_a_week_runs_once_when_its_seven_days_are_there(client, monday):
    """The other days' events come by Airflow's API, with Monday's result."""
    identity, (event,) = events(client, series_asset("days"))
    for day in WEEK[1:]:
        assert runs(client, "mean_face_week") == []
        body = {"asset_id": identity, "partition_key": day, "extra": event["extra"]}
        assert client._http.post("/api/v2/assets/events", json=body).is_success
    (run,) = ended(client, "mean_face_week")
    assert run["partition_key"] == f"{MONDAY} (W02)"
    path = f"/api/v2/dags/mean_face_week/dagRuns/{run['dag_run_id']}/taskInstances/average/xcomEntries/return_value"
    assert client.get(f"{path}?deserialize=true")["value"] == pytest.approx(monday[1]["mean"], rel=1e-12)


def test_the_graph_has_the_photos_and_the_results_by_their_addresses(client, monday, airflow):

    def asset(uri):
        return next((one for one in client.get("/api/v2/assets?limit=100")["assets"] if one["uri"] == uri), None)

    photos = asset(f"file://{airflow[2]}/%Y/%m/%d")
    result = until(lambda: asset(Asset(uri=to_uri(monday[1]["location"])).uri), PATIENCE, every=1)
    assert {(task["dag_id"], task["task_id"]) for task in photos["consuming_tasks"]} == {
        ("meanface", "plan"),
        ("partitioned", "plan"),
    }
    assert [alias["name"] for alias in result["aliases"]] == ["results"]
    ended(client, "after_results")


def test_a_run_that_misses_its_deadline_is_reported(monday, airflow):
    log = airflow[0].home.logs / "triggerer.log"
    text = f"DAG meanface, run {monday[0]}: no result within 0:00:01; the run is "
    until(lambda: text in log.read_text(), PATIENCE, every=1)


def test_photos_that_arrive_start_a_run(client, airflow):
    """The DAG file is the one that is printed in docs/assets.md, in another folder."""
    ready = airflow[2] / "READY"
    ready.touch()
    (run,) = ended(client, "arrivals")
    assert (run["run_type"], ready.exists()) == ("asset_triggered", False)
    path = f"/api/v2/dags/arrivals/dagRuns/{run['dag_run_id']}/taskInstances/publish/xcomEntries/return_value"
    assert client.get(f"{path}?deserialize=true")["value"]["photos"] == 1
