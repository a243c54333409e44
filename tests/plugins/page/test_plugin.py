"""Airflow finds the plugin, and the page serves its files."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from meanface_airflow.links import LINKED, ProgressLink
from page_airflow import PLUGINS, PREFIX

PACKAGE = PLUGINS / "meanface_airflow"
STATIC = PACKAGE / "page" / "static"
OWN_FILES = sorted(
    path for path in STATIC.iterdir() if path.suffix in (".js", ".css", ".html") and "uPlot" not in path.name
)


def test_airflow_finds_one_plugin_and_loads_nothing_else_by_its_bare_name(airflow_app):
    from airflow import plugins_manager

    assert [plugin.name for plugin in plugins_manager._get_plugins()[0] if plugin.name == "meanface"] == ["meanface"]
    assert plugins_manager.get_import_errors() == {}
    for module in PACKAGE.rglob("*.py"):
        loaded = sys.modules.get(module.stem)
        file = getattr(loaded, "__file__", None)
        assert module.stem == "plugin" or file != str(module), module


def test_the_ui_gets_a_view_in_the_navigation_and_a_tab_of_runs(page, token):
    answer = page.get(
        f"http://testserver{PREFIX}/api/v2/plugins", headers={"Authorization": f"Bearer {token('admin')}"}
    )
    (plugin,) = (one for one in answer.json()["plugins"] if one["name"] == "meanface")
    assert [view["destination"] for view in plugin["external_views"]] == ["nav", "dag_run"]
    assert plugin["fastapi_apps"][0]["url_prefix"] == "/meanface"
    for view in plugin["external_views"]:
        assert page.get(f"http://testserver{PREFIX}/{view['icon']}").headers["content-type"] == "image/svg+xml"


def test_the_plugin_does_not_import_the_page():
    code = (
        "import sys, meanface_airflow.plugin; print([name for name in sys.modules if 'meanface_airflow.page' in name])"
    )
    command, environment = [sys.executable, "-W", "ignore", "-c", code], os.environ | {"PYTHONPATH": str(PLUGINS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def operator(*tags):
    """A task of a DAG with these tags."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    return EmptyOperator(task_id="any", dag=DAG("any", schedule=None, tags=set(tags)))


@pytest.mark.parametrize("task", LINKED)
def test_a_task_links_to_the_tab_of_its_run(airflow_app, task):
    key = SimpleNamespace(dag_id="meanface", task_id=task, run_id="manual__2026-01-02T03:04:05+00:00")
    expected = "/flow/dags/meanface/runs/manual__2026-01-02T03%3A04%3A05%2B00%3A00/plugin/meanface-run"
    assert ProgressLink().get_link(operator(), ti_key=key) == expected


def test_a_task_of_another_dag_of_ours_has_the_link(airflow_app):
    key = SimpleNamespace(dag_id="family", task_id="embed", run_id="run")
    found = ProgressLink().get_link(operator("meanface", "family"), ti_key=key)
    assert found == "/flow/dags/family/runs/run/plugin/meanface-run"


@pytest.mark.parametrize(("dag", "task"), [("other", "embed"), ("meanface", "plan")])
def test_other_tasks_have_no_link(dag, task):
    key = SimpleNamespace(dag_id=dag, task_id=task, run_id="run")
    assert ProgressLink().get_link(operator("faces"), ti_key=key) == ""


def test_third_party_files_are_unchanged():
    rows = re.findall(r"^\| `(\S+)` .* `([0-9a-f]{64})` \|$", (STATIC / "SOURCES.md").read_text(), re.MULTILINE)
    assert len(rows) == len([path for path in STATIC.iterdir() if "uPlot" in path.name])
    for name, digest in rows:
        assert hashlib.sha256(Path(STATIC, name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.name)
def test_the_pages_files_create_no_markup_from_text_and_load_nothing_external(path):
    text = path.read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
        assert way not in text
    assert "http://" not in text
    assert "https://" not in text
    assert not re.search(r"\sstyle=|\son[a-z]+=", text) or path.suffix == ".js"
    assert len(text.splitlines()) < 300


@pytest.mark.parametrize("path", [path for path in OWN_FILES if path.suffix == ".html"], ids=lambda path: path.name)
def test_every_file_that_a_page_names_is_served(page, path):
    for name in re.findall(r'(?:src|href)="static/([^"]+)"', path.read_text()):
        assert page.get(f"static/{name}").status_code == 200


@pytest.mark.parametrize("page_name", ["runs", "run"])
def test_a_page_names_every_module_that_it_needs(page_name):
    """So that a browser requests all of them at once."""
    needed, open_ = set(), [f"{page_name}.js"]
    while open_:
        found = set(re.findall(r'from "\./([^"]+)"', (STATIC / open_.pop()).read_text())) - needed
        needed |= found
        open_ += found
    named = re.findall(r'modulepreload" href="static/([^"]+)"', (STATIC / f"{page_name}.html").read_text())
    assert sorted(named) == sorted(needed)
