"""The result's panel in a browser: permissions, and where its files are."""

from urllib.parse import quote

from page_airflow import RUN, address
from polling import until

REQUESTS = "return performance.getEntriesByType('resource').filter((one) => one.name.includes(arguments[0])).length"


def test_a_forbidden_result_is_requested_once(viewer, server, airflow_run, records, monkeypatch):
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

    manager = get_auth_manager()
    allowed = manager.is_authorized_dag

    def all_but_xcoms(*, access_entity=None, **more):
        return access_entity is not DagAccessEntity.XCOM and allowed(access_entity=access_entity, **more)

    monkeypatch.setattr(manager, "is_authorized_dag", all_but_xcoms)
    airflow_run(plan="success", reduce="success", embed=[("success", 1)])
    records.plan(1)
    records.commit(0)
    records.result()
    viewer.open(address(server))
    assert "Your role in Airflow does not permit you to see the result" in viewer.one("#result").text
    until(lambda: viewer.script(REQUESTS, "api/run?") >= 3)
    assert viewer.script(REQUESTS, "api/result?") == 1
    assert not viewer.all("#notice")[0].is_displayed()
    assert viewer.text("#live").startswith("Live")
    viewer.shot("result-withheld")


def test_the_location_of_files_that_are_not_served_is_displayed(viewer, server, airflow_run, records):
    airflow_run(state="success", plan="success", reduce="success", embed=[("success", 1)])
    records.plan(1)
    records.commit(0)
    records.result(location="s3://results/run")
    viewer.open(address(server))
    text = viewer.one("#result").text
    assert "The report and the other files are in s3://results/run." in text
    assert "does not read buckets" in text
    assert viewer.all("#result .links a") == []
    viewer.shot("result-in-a-bucket")


def test_the_account_is_displayed_as_text(viewer, server, airflow_run, records):
    airflow_run(state="success", plan="success", reduce="success", embed=[("success", 1)])
    records.plan(1)
    records.commit(0)
    account = ["passed over: videos: 2 ('<b>a</b>.mov', 'b.mov')", "faces left out: 3 by faces=first"]
    records.result(account=account)
    viewer.open(address(server))
    assert viewer.one("#result").text
    assert viewer.each("#result .account") == account
    viewer.shot("result-account")


def test_a_report_can_neither_run_nor_load_anything(viewer, server, airflow_run, records, tmp_path, monkeypatch):
    from meanface_airflow.page import app
    from meanface_airflow.settings import Settings

    monkeypatch.setattr(app, "settings", lambda: Settings(storage=str(tmp_path)))
    picture = f"{server}/static/pin_32.png"
    hostile = f'<script>window.hit = 1</script><img src="{picture}"><img src=x onerror="window.hit = 1">'
    (tmp_path / "report.html").write_text(f"<h1>Mean</h1>{hostile}")
    airflow_run(state="success")
    records.result(location=str(tmp_path))
    viewer.open(f"{server}/meanface/files/meanface/{quote(RUN, safe='')}/report.html")
    assert viewer.one("h1").text == "Mean"
    assert viewer.script("return [window.hit ?? 0, document.querySelector('img').naturalWidth]") == [0, 0]
    until(lambda: len(viewer.complaints()) >= 3)
