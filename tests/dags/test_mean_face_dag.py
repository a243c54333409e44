"""`mean_face_dag` makes DAGs with other ids and defaults, side by side."""

import json
import re
from pathlib import Path

import pytest

from meanface_airflow import mean_asset, mean_face_dag

README = (Path(__file__).parents[2] / "plugins" / "README.md").read_text()


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


def test_the_runs_result_is_that_of_publish():
    assert [task.task_id for task in mean_face_dag("family").tasks if task.returns_dag_result] == ["publish"]


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


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_the_readmes_dag_files_are_dags(tmp_path, code):
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "ours.py").write_text(code)
    bag = DagBag(dag_folder=str(tmp_path))
    assert (bag.import_errors, len(bag.dags)) == ({}, code.count("mean_face_dag("))
