"""Several DAGs on the page: each has its own runs, records and permissions."""

from urllib.parse import quote

import pytest

from page_airflow import RUN, Records


def test_runs_of_one_id_have_records_of_their_own(page, airflow_run, records, client, family):
    airflow_run(state="success", plan="success", reduce="success")
    airflow_run(dag=family, state="success", plan="success", reduce="success")
    records.plan(1)
    records.result(faces=3)
    of_family = Records(client, f"{family}@{RUN}")
    of_family.plan(1)
    of_family.result(faces=5)
    faces = {
        dag: page.get("api/result", params={"dag_id": dag, "run": RUN}).json()["faces"] for dag in ("meanface", family)
    }
    assert faces == {"meanface": 3, family: 5}
    (run,) = page.get(f"api/runs?dag_id={family}").json()["runs"]
    assert (run["dag"], run["run"], run["faces"]) == (family, RUN, 5)


def test_the_dags_to_choose_from_are_those_of_ours(page, family):
    assert page.get("api/runs?dag_id=meanface").json()["dags"] == [family]


def test_a_run_of_a_dag_that_is_not_ours_is_not_found(page, airflow_run, family, client):
    airflow_run(dag="other", state="success", plan="success")
    Records(client, f"other@{RUN}").plan(1)
    answer = page.get("api/run", params={"dag_id": "other", "run": RUN})
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "other is no DAG of meanface, or has no run of this name.",
    )


def test_permission_for_one_dag_shows_nothing_of_another(page, airflow_run, family, monkeypatch):
    from airflow.api_fastapi.app import get_auth_manager

    airflow_run()
    airflow_run(dag=family)
    manager = get_auth_manager()
    allowed = manager.is_authorized_dag

    def of_family(*, details=None, **more):
        return (details is None or details.id in (None, family)) and allowed(details=details, **more)

    monkeypatch.setattr(manager, "is_authorized_dag", of_family)
    assert page.get(f"api/runs?dag_id={family}").status_code == 200
    for path in (
        "api/runs?dag_id=meanface",
        f"api/runs?dag_id={family}&dag_id=meanface",
        f"files/meanface/{quote(RUN)}/report.html?dag_id={family}",
        f"api/run?dag_id=meanface&run={quote(RUN)}",
        f"files/meanface/{quote(RUN)}/report.html",
    ):
        assert page.get(path).status_code == 403, path


@pytest.mark.parametrize("path", ["api/runs", "api/runs?dag_id=~", "api/runs?dag_id=", f"api/run?run={quote(RUN)}"])
def test_a_request_names_its_dag(page, airflow_run, path):
    airflow_run()
    assert page.get(path).status_code == 422


def test_runs_of_a_dag_that_is_not_ours_are_not_listed(page, airflow_run, reason, family):
    airflow_run(dag="other", state="failed", plan="failed")
    reason("plan", "the card 4111 was refused", dag="other")
    answer = page.get("api/runs?dag_id=other")
    assert (answer.status_code, answer.json()) == (404, {"detail": "other is no DAG of meanface."})
