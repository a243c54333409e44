"""The DAG, parsed in a separate process for each runtime, as Airflow's DAG processor does."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
DAG = CHECKOUT / "dags" / "meanface.py"
PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(dag_folder=sys.argv[1])
found = {"errors": bag.import_errors, "warnings": bag.captured_warnings}
found["dags"] = [DagSerialization.to_dict(dag)["dag"] for dag in bag.dags.values()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["process", "kubernetes"])
def runtime(request):
    return request.param


@pytest.fixture(scope="module")
def dag(runtime):
    """The DAG as the scheduler and the UI know it."""
    environment = os.environ | {
        "MEANFACE_RUNTIME": runtime,
        "MEANFACE_POOL": "faces",
        "PYTHONPATH": str(CHECKOUT / "plugins"),
    }
    parsed = subprocess.run(
        [sys.executable, "-c", PARSE, str(DAG)], env=environment, capture_output=True, text=True, check=False
    )
    assert parsed.returncode == 0, parsed.stderr
    found = json.loads(parsed.stdout.splitlines()[-1])
    assert (found["errors"], found["warnings"]) == ({}, {})
    (dag,) = found["dags"]
    return dag


@pytest.fixture(scope="module")
def tasks(dag):
    return {task["__var"]["task_id"]: task["__var"] for task in dag["tasks"]}


def test_it_contains_no_logic():
    tree = ast.parse(DAG.read_text())
    logic = (ast.FunctionDef, ast.If, ast.For, ast.While, ast.Try, ast.Lambda, ast.comprehension)
    assert len(DAG.read_text().splitlines()) <= 80
    assert not [node for node in ast.walk(tree) if isinstance(node, logic)]


def test_each_stage_follows_the_one_before(tasks):
    after = {name: set(task.get("downstream_task_ids", ())) for name, task in tasks.items()}
    assert after == {
        "plan": {"list_partitions"},
        "list_partitions": {"embed"},
        "embed": {"reduce"},
        "reduce": {"publish"},
        "publish": set(),
    }


def test_the_runtime_decides_which_operator_runs_the_stages(tasks, runtime):
    expected = {"process": "ProcessStageOperator", "kubernetes": "PodStageOperator"}[runtime]
    assert {tasks[name]["task_type"] for name in ("plan", "embed", "reduce")} == {expected}


def test_there_is_one_embed_task_per_partition(tasks):
    """Its map index is the partition; a label of its own would take two requests to Airflow for each task."""
    embed = tasks["embed"]
    assert embed["_is_mapped"]
    assert "list_partitions" in json.dumps(embed["expand_input"])
    assert "map_index_template" not in embed["partial_kwargs"]


def test_backfills_have_days_to_fill_and_the_schedule_does_not_catch_up(dag):
    assert dag["timetable"]["__var"]["expression"] == "0 0 * * *"
    assert dag.get("catchup", False) is False
    assert dag["start_date"] < 1_735_689_600  # 2025


def test_the_ui_has_its_documentation_and_tags(dag):
    assert "mean_vector" in dag["doc_md"]
    assert set(dag["tags"]) == {"meanface", "faces", "embeddings"}
    assert dag["dag_display_name"] == "meanface" if "dag_display_name" in dag else dag["dag_id"] == "meanface"


def test_retries_wait_longer_each_time(dag):
    given = dag["default_args"]["__var"]
    assert given["retries"] >= 3
    assert given["retry_exponential_backoff"] > 1
    assert given["max_retry_delay"]["__var"] <= 3600


def test_every_task_waits_in_the_deployments_pool(tasks):
    pools = {name: task.get("pool", task.get("partial_kwargs", {}).get("pool")) for name, task in tasks.items()}
    assert set(pools.values()) == {"faces"}


def test_the_result_is_an_asset(tasks):
    assert "meanface/mean" in json.dumps(tasks["publish"]["outlets"])
