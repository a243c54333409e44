"""Modules that a task needs are imported before the scheduler forks its process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PARSE = """
import sys
sys.argv = ["airflow", sys.argv[1]]
import airflow.settings
before = set(sys.modules)
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.execution_time import supervisor, task_runner
dags = "{dags}"
bag = BundleDagBag(dags + "/meanface.py", safe_mode=False, load_op_links=False, bundle_path=dags, bundle_name="dags")
import json
new = [name for name in set(sys.modules) - before if not name.startswith("unusual_prefix_")]
print(json.dumps({"errors": bag.import_errors, "dags": list(bag.dags), "new": new}))
""".replace("{dags}", str(CHECKOUT / "dags"))


@pytest.fixture
def parsed(tmp_path):
    """Modules that a component imports for the DAG after its start, and import errors."""
    (tmp_path / "config").mkdir()
    shutil.copy(CHECKOUT / "airflow_image/airflow_local_settings.py", tmp_path / "config")

    def by(component, **environment):
        of_airflow = {"HOME": tmp_path, "_CORE__PLUGINS_FOLDER": CHECKOUT / "plugins", "_CORE__LOAD_EXAMPLES": False}
        given = {f"AIRFLOW_{name}": str(value) for name, value in of_airflow.items()}
        given |= {"MEANFACE_RUNTIME": "kubernetes", "KUBECONFIG": "/none"} | environment
        command = [sys.executable, "-c", PARSE, component]
        done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, timeout=200, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    return by


@pytest.mark.parametrize("component", ["scheduler", "dag-processor"])
def test_a_task_imports_almost_nothing(parsed, component):
    found = parsed(component)
    assert (found["dags"], found["errors"]) == (["meanface"], {})
    assert len(found["new"]) < 10, found["new"]
    assert not [name for name in found["new"] if name.startswith(("kubernetes", "redis", "meanface_airflow"))]


def test_other_components_import_nothing_early(parsed):
    assert len(parsed("api-server")["new"]) > 100


def test_a_wrong_setting_is_an_import_error_of_the_dag_and_stops_nothing_else(parsed):
    found = parsed("scheduler", MEANFACE_WORKERS="many")
    assert found["dags"] == []
    assert "MEANFACE_WORKERS" in json.dumps(found["errors"])
