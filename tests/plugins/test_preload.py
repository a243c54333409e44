"""Modules that a task needs are imported before Airflow forks its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
COMPONENT = "from airflow.jobs.job import Job; Job()"
TASK = """
from airflow.sdk.execution_time.task_runner import TaskRunnerMarker
from airflow.sdk.listener import get_listener_manager
get_listener_manager().hook.on_starting(component=TaskRunnerMarker())
"""
PARSE = """
import json, sys
import airflow.settings
from airflow.jobs import scheduler_job_runner
{start}
before = set(sys.modules)
prepared = list(getattr(sys.modules.get("meanface_airflow.dag"), "_PREPARED", ()))
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.execution_time import supervisor, task_runner
bag = BundleDagBag("{dags}/meanface.py", safe_mode=False, load_op_links=False, bundle_path="{dags}", bundle_name="dags")
new = [name for name in set(sys.modules) - before if not name.startswith("unusual_prefix_")]
used = not sys.modules["meanface_airflow.dag"]._PREPARED if bag.dags else False
facts = {{"errors": bag.import_errors, "dags": list(bag.dags), "new": new, "prepared": prepared, "used": used}}
facts["files"] = [dag.fileloc for dag in bag.dags.values()]
print(json.dumps(facts))
"""


@pytest.fixture
def parsed(tmp_path):
    """Modules that a process imports for the DAG after its start, and import errors."""

    def after(start, **environment):
        of_airflow = {"HOME": tmp_path, "_CORE__PLUGINS_FOLDER": CHECKOUT / "plugins", "_CORE__LOAD_EXAMPLES": False}
        given = {f"AIRFLOW_{name}": str(value) for name, value in of_airflow.items()}
        given |= {"MEANFACE_RUNTIME": "kubernetes", "KUBECONFIG": "/none"} | environment
        command = [sys.executable, "-c", PARSE.format(start=start, dags=CHECKOUT / "dags")]
        done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, timeout=200, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    return after


def test_a_task_imports_almost_nothing(parsed):
    found = parsed(COMPONENT)
    assert (found["dags"], found["errors"]) == (["meanface"], {})
    assert len(found["new"]) < 10, found["new"]
    assert not [name for name in found["new"] if name.startswith(("kubernetes", "redis", "meanface_airflow"))]


def test_the_dag_is_made_before_tasks_start(parsed):
    found = parsed(COMPONENT, MEANFACE_DAG_PARAMS='{"dataset": "s3://photos/"}')
    assert (found["prepared"], found["used"]) == (["meanface"], True)
    assert found["files"] == [str(CHECKOUT / "dags" / "meanface.py")]
    assert parsed(TASK)["prepared"] == []


def test_tasks_of_other_dags_import_nothing_early(parsed):
    assert len(parsed(TASK)["new"]) > 100


def test_a_wrong_setting_is_an_import_error_of_the_dag_and_stops_nothing_else(parsed):
    found = parsed(COMPONENT, MEANFACE_WORKERS="many")
    assert found["dags"] == []
    assert "MEANFACE_WORKERS" in json.dumps(found["errors"])
