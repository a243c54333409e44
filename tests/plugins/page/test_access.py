"""Access control: the page behind Airflow's login and permissions."""

import re
from urllib.parse import quote, urlencode

import pytest

from page_airflow import RUN

NAMED = urlencode({"dag_id": "meanface", "run": RUN})
FILES = tuple(
    f"files/meanface/{quote(RUN)}/{name}" for name in ("report.html", "mean_face.png", "failures.csv", "result.json")
)
DATA = (
    "api/runs?dag_id=meanface",
    f"api/run?{NAMED}",
    f"api/failures?{NAMED}&partition=0",
    f"api/result?{NAMED}",
    *FILES,
)
SHELLS = ("", "run", "static/base.css", "static/any/uPlot.iife.min.js")


@pytest.fixture
def everything(airflow_run, records, tmp_path, monkeypatch):
    """A run with all its records, and its files in storage."""
    from meanface_airflow.page import app
    from meanface_airflow.settings import Settings

    monkeypatch.setattr(app, "settings", lambda: Settings(storage=str(tmp_path)))
    for path in FILES:
        (tmp_path / path.rpartition("/")[2]).write_text("a.jpg")
    airflow_run(state="success", plan="success", reduce="success")
    records.plan(2)
    records.result(location=str(tmp_path))
    records.failures(0, [["a.jpg", "undecodable", "no image"]])


@pytest.mark.parametrize("path", [*DATA, *SHELLS, "static/nothing.js"])
def test_without_a_login_nothing_is_served(page, everything, path):
    page.cookies.clear()
    answer = page.get(path)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Not authenticated"}


@pytest.mark.parametrize("path", [*DATA, *SHELLS])
def test_a_forged_login_is_refused(page, everything, token, path):
    page.cookies.clear()
    head, body, _ = token().split(".")
    page.cookies.set("_token", f"{head}.{body}.{'A' * 86}")
    assert page.get(path).status_code in (401, 403)


@pytest.mark.parametrize("path", DATA)
def test_without_permission_for_the_dag_nothing_of_its_runs_is_served(page, everything, token, path):
    page.cookies.clear()
    page.cookies.set("_token", token(role=None))
    answer = page.get(path)
    assert answer.status_code == 403
    assert RUN not in answer.text


@pytest.mark.parametrize("path", DATA)
def test_a_viewer_reads(page, everything, path):
    assert page.get(path).status_code == 200


def test_a_token_in_the_header_is_a_login_too(page, everything, token):
    page.cookies.clear()
    assert page.get("api/runs?dag_id=meanface", headers={"Authorization": f"Bearer {token()}"}).status_code == 200


@pytest.fixture
def withhold(monkeypatch):
    """Takes the permission to read one kind of a DAG's records from the user of the page."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

    manager = get_auth_manager()
    allowed = manager.is_authorized_dag

    def take(name):
        withheld = DagAccessEntity[name]
        monkeypatch.setattr(
            manager,
            "is_authorized_dag",
            lambda **asked: asked.get("access_entity") is not withheld and allowed(**asked),
        )

    return take


@pytest.mark.parametrize("entity", ["TASK_INSTANCE", "RUN", "XCOM"])
def test_each_permission_is_needed(page, everything, withhold, entity):
    withhold(entity)
    needed = {
        "api/runs?dag_id=meanface": {"RUN"},
        f"api/run?{NAMED}": {"RUN", "TASK_INSTANCE"},
        f"api/failures?{NAMED}&partition=0": {"RUN", "TASK_INSTANCE"},
        f"api/result?{NAMED}": {"RUN", "XCOM"},
    } | {path: {"RUN", "TASK_INSTANCE", "XCOM"} for path in FILES}
    assert set(needed) == set(DATA)
    for path, entities in needed.items():
        assert page.get(path).status_code == (403 if entity in entities else 200), path


def test_reasons_of_failures_require_the_permission_to_read_tasks(page, airflow_run, reason, withhold):
    airflow_run(state="failed", plan="failed")
    reason("plan", "nothing is at /photos")
    (run,) = page.get("api/runs?dag_id=meanface").json()["runs"]
    assert run["failed"][0]["reason"] == "nothing is at /photos"
    withhold("TASK_INSTANCE")
    (run,) = page.get("api/runs?dag_id=meanface").json()["runs"]
    assert (run["state"], run["failed"]) == ("failed", [])


def test_reasons_of_failures_require_the_permission_to_read_xcoms(page, airflow_run, reason, withhold):
    """A reason is the XCom `error` of its task."""
    airflow_run(state="failed", plan="failed")
    reason("plan", "nothing is at /photos")
    withhold("XCOM")
    (of_all,) = page.get("api/runs?dag_id=meanface").json()["runs"]
    for run in (of_all, page.get(f"api/run?{NAMED}").json()):
        (failure,) = run["failed"]
        assert (failure["stage"], failure["tasks"]) == ("plan", 1)
        assert failure["reason"] == "you may not read the reason, which is an XCom of the task"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [*DATA, *SHELLS])
def test_nothing_can_be_changed(page, everything, method, path):
    assert page.request(method, path).status_code == 405


@pytest.mark.parametrize(
    "path", [f"api/run?{NAMED}", f"api/failures?{NAMED}&partition=0", f"api/result?{NAMED}", *FILES]
)
def test_runs_of_other_dags_are_not_served(page, airflow_run, records, path):
    airflow_run(dag="other", state="success")
    records.plan(1)
    records.result()
    assert page.get(path).status_code == 404
    assert page.get("api/runs?dag_id=meanface").json()["runs"] == []


@pytest.mark.parametrize("path", [*DATA, *SHELLS, "static/nothing.js", "api/nothing"])
def test_every_response_restricts_what_may_be_loaded(page, everything, path):
    policy = page.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert ("unsafe-inline" in policy) == path.endswith("report.html")  # which runs no script
    assert "script-src 'self'" in policy or "script" not in policy


@pytest.mark.parametrize("name", ["../app.py", "..%2Fapp.py", "%2e%2e/app.py", "SOURCES.md", "/etc/passwd", ""])
def test_no_other_file_is_served(page, name):
    assert page.get(f"static/{name}").status_code in (404, 405)


def test_an_unchanged_file_is_not_sent_again(page):
    first = page.get("static/base.css")
    again = page.get("static/base.css", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_a_file_is_cached_under_its_version_only(page):
    (version,) = set(re.findall(r'"static/([0-9a-f]{32})/', page.get("run").text))
    kept = {"run": "no-cache", "static/base.css": "no-cache", f"static/{'0' * 32}/base.css": "no-cache"}
    kept[f"static/{version}/base.css"] = "max-age=31536000, immutable"
    for path, caching in kept.items():
        answer = page.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, f"private, {caching}")
        assert (answer.text == page.get("static/base.css").text) == path.endswith(".css")
