"""`mean_face_dag` makes DAGs with other ids and defaults, side by side."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import Asset, AssetAlias, AsyncCallback, DeadlineAlert, DeadlineReference

from meanface_airflow import dag as dag_module
from meanface_airflow import mean_asset, mean_face_dag, series_asset
from meanface_airflow.dag import prepare_dag
from meanface_airflow.deadline import report_late_run

CHECKOUT = Path(__file__).parents[2]
PAGES = ("plugins/README.md", "docs/assets.md", "docs/operations.md")
CODE = [code for page in PAGES for code in re.findall(r"```python\n(.*?)```", (CHECKOUT / page).read_text(), re.DOTALL)]


def test_defaults_of_the_form_and_of_airflow_are_changed():
    dag = mean_face_dag(
        "family",
        params={"dataset": "s3://family/", "labels": "parent_folder"},
        tags=["people"],
        default_args={"retries": 1},
        schedule=None,
        max_active_runs=1,
    )
    assert dag.params["dataset"] == "s3://family/"
    assert dag.params["labels"] == "parent_folder"
    assert dag.params["faces"] == "first"
    assert {"meanface", "people"} <= set(dag.tags)
    assert (dag.max_active_runs, dag.default_args["retries"], dag.catchup) == (1, 1, False)
    assert "--dag-id family " in dag.doc_md
    assert "`family/mean`" in dag.doc_md


def test_each_dag_has_an_asset_of_its_own():
    outlets = {name: mean_face_dag(name).get_task("publish").outlets for name in ("meanface", "family")}
    assert outlets == {"meanface": [mean_asset()], "family": [mean_asset("family")]}
    assert mean_asset().uri == "x-meanface://mean"
    assert mean_asset("family").uri != mean_asset().uri


def test_a_prepared_dag_is_returned_once_and_only_for_its_arguments():
    def prepared():
        prepare_dag("family", {"dataset": "s3://family/"})
        return dag_module._PREPARED["family"][1]

    made = prepared()
    assert mean_face_dag("other", params={"dataset": "s3://family/"}) is not made
    assert mean_face_dag("family", params={"dataset": "s3://family/"}) is made
    assert mean_face_dag("family", params={"dataset": "s3://family/"}) is not made
    for other in ({"params": {"dataset": "lfw"}}, {"schedule": None}, {"tags": ["people"]}, {"default_args": {}}):
        made = prepared()
        assert mean_face_dag("family", **{"params": {"dataset": "s3://family/"}} | other) is not made


def test_the_runs_result_is_that_of_publish():
    for series in (None, "days"):
        dag = mean_face_dag("family", params={"series": series})
        assert [task.task_id for task in dag.tasks if task.returns_dag_result] == ["publish"]


def test_only_a_dag_with_a_series_updates_its_asset():
    assert "publish_day" not in mean_face_dag("family").task_dict
    days, other = (mean_face_dag("family", params={"series": name}).get_task("publish_day") for name in ("days", "x"))
    assert (days.outlets, other.outlets) == ([series_asset("days")], [series_asset("x")])
    assert days.upstream_task_ids == {"publish"}


def test_the_asset_of_a_series_is_never_that_of_a_dag():
    assert series_asset("mean").uri != mean_asset("series").uri
    assert series_asset("mean").name != mean_asset("meanface").name


def test_the_photos_may_be_an_asset_and_results_get_their_addresses():
    photos, results = Asset(name="photos", uri="s3://photos/%Y/%m/%d"), AssetAlias("results")
    dag = mean_face_dag("family", params={"dataset": photos}, results=results)
    assert dag.params["dataset"] == "s3://photos/%Y/%m/%d"
    assert dag.get_task("plan").inlets == [photos]
    assert dag.get_task("publish").outlets == [mean_asset("family"), results]


def test_by_default_a_dag_has_no_inlets_no_alias_and_no_deadline():
    dag = mean_face_dag("family", params={"dataset": "s3://photos/"})
    assert [task.task_id for task in dag.tasks if task.inlets] == []
    assert (dag.get_task("publish").outlets, dag.deadline) == ([mean_asset("family")], None)


def test_a_deadline_is_a_time_or_an_alert_of_airflow():
    own = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=timedelta(hours=30),
        callback=AsyncCallback(report_late_run, kwargs={"allowed": "a day"}),
    )
    (made,) = mean_face_dag("family", deadline=timedelta(hours=2)).deadline
    assert (made.interval, made.reference) == (timedelta(hours=2), DeadlineReference.DAGRUN_QUEUED_AT)
    assert made.callback.path == "meanface_airflow.deadline.report_late_run"
    assert mean_face_dag("family", deadline=own).deadline == [own]


@pytest.mark.parametrize("deadline", [timedelta(0), timedelta(hours=-1)])
def test_a_deadline_that_no_run_can_meet_is_refused(deadline):
    with pytest.raises(ValueError, match=r"deadline=.*: expected more than no time, such as timedelta"):
        mean_face_dag("family", deadline=deadline)


def test_an_unknown_param_is_named():
    with pytest.raises(ValueError, match="no such params: data_set; expected some of dataset, "):
        mean_face_dag("family", params={"data_set": "lfw"})


@pytest.mark.parametrize("dag_id", ["família", "a b", "a@b", ""])
def test_an_id_that_storage_cannot_have_is_refused(dag_id):
    with pytest.raises(ValueError, match="expected letters from A to z, digits"):
        mean_face_dag(dag_id)


def test_a_default_that_the_form_refuses_is_refused_by_airflow():
    with pytest.raises(ValueError, match="the default values are not valid"):
        mean_face_dag("family", params={"faces": "some"})


def test_a_dag_file_of_one_line_is_found(tmp_path):
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "ours.py").write_text(
        "from meanface_airflow import mean_face_dag\n\n"
        "for name in ('family', 'lfw'):\n    mean_face_dag(name, schedule=None)\n"
    )
    bag = DagBag(dag_folder=str(tmp_path))
    assert (bag.import_errors, set(bag.dags)) == ({}, {"family", "lfw"})
    assert json.dumps(bag.dags["lfw"].doc_md)


@pytest.mark.parametrize("code", CODE)
def test_the_dag_files_of_the_documents_are_dags(tmp_path, code):
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "ours.py").write_text(code)
    bag = DagBag(dag_folder=str(tmp_path))
    assert (bag.import_errors, len(bag.dags)) == ({}, code.count("mean_face_dag("))
