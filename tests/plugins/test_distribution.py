"""The wheel `meanface-airflow` in a fresh environment with plain Airflow: a working DAG, page and connection."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
UV = CHECKOUT / ".venvs/uv/bin/uv"
AIRFLOW = "apache-airflow==3.3.2"
LOCKED = CHECKOUT / "requirements.txt"
DAG_FILE = "from meanface_airflow import mean_face_dag\n\nmean_face_dag('meanface')\n"
LOAD = """
import json, sys
from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag
from airflow.providers_manager import ProvidersManager
from airflow.configuration import conf
bag = DagBag(dag_folder=sys.argv[1])
providers = ProvidersManager()
providers.initialize_providers_configuration()
found = {"errors": bag.import_errors, "dags": {name: len(dag.tasks) for name, dag in bag.dags.items()}}
found["plugins"] = [plugin.name for plugin in plugins_manager._get_plugins()[0]]
found["import_errors"] = plugins_manager.get_import_errors()
found["hook"] = getattr(providers.hooks.get("meanface_redis"), "hook_name", None)
found["options"] = sorted((conf.configuration_description.get("meanface") or {"options": {}})["options"])
found["storage"] = conf.get("meanface", "storage", fallback=None)
print(json.dumps(found))
"""


def test_a_field_of_the_section_is_described():
    from meanface_airflow.provider import get_provider_info

    options = get_provider_info()["config"]["meanface"]["options"]
    assert options["workers"]["description"].startswith("worker processes of an embed stage")
    assert "in_cluster" not in options
    assert all(option["description"] for option in options.values())


def test_the_description_fits_airflows_schema():
    import airflow
    import jsonschema

    from meanface_airflow.provider import get_provider_info

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_the_connection_form_tests_redis(redis, monkeypatch):
    from meanface_airflow.hook import MeanfaceRedisHook

    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", redis.connection_url)
    ok, answer = MeanfaceRedisHook().test_connection()
    assert ok
    assert answer.startswith("Redis 7.")


def test_a_redis_that_is_away_fails_the_test(monkeypatch):
    from meanface_airflow.hook import MeanfaceRedisHook

    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", "redis://127.0.0.1:1/0")
    ok, reason = MeanfaceRedisHook().test_connection()
    assert not ok
    assert "127.0.0.1:1" in reason


def uv(*words, **environment):
    done = subprocess.run([UV, *words], capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.long
def test_a_plain_airflow_gets_a_dag_a_page_and_a_connection_and_loses_them_again(tmp_path):
    uv("build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(CHECKOUT / "plugins"))
    (wheel,) = tmp_path.glob("*.whl")
    python = str(tmp_path / "venv/bin/python")
    uv("venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    install = ("pip", "install", "--quiet", "--python", python)
    uv(*install, "--constraint", str(LOCKED), AIRFLOW, str(wheel))
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/meanface.py").write_text(DAG_FILE)

    def loaded():
        home = {"AIRFLOW_HOME": str(tmp_path / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        home |= {"AIRFLOW__MEANFACE__STORAGE": "s3://bucket/meanface", "HOME": str(tmp_path)}
        command = [python, "-W", "ignore", "-c", LOAD, str(tmp_path / "dags")]
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MEANFACE"))}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain | home)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    found = loaded()
    assert (found["errors"], found["dags"], found["import_errors"]) == ({}, {"meanface": 5}, {})
    assert "meanface" in found["plugins"]
    assert found["hook"] == "Redis of meanface"
    assert {"image", "storage", "redis_secret"} <= set(found["options"])
    assert found["storage"] == "s3://bucket/meanface"

    uv("pip", "uninstall", "--quiet", "--python", python, "meanface-airflow")
    (tmp_path / "dags/meanface.py").unlink()
    found = loaded()
    assert (found["errors"], found["dags"], found["hook"], found["options"]) == ({}, {}, None, [])
    assert "meanface" not in found["plugins"]
