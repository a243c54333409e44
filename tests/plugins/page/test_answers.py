"""The page's JSON responses, from a real Valkey and Airflow's real database."""

from urllib.parse import quote

import pytest

from laptop.services import unused_port
from page_airflow import RUN

HOSTILE = "<img src=x onerror=alert(1)>\u202egpj.\"'&\n.jpg"


def run_of(page, run=RUN):
    answer = page.get("api/run", params={"dag_id": "meanface", "run": run})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_run_in_the_middle(page, airflow_run, records):
    airflow_run(
        plan="success", embed=[("success", 1), ("running", 2), ("up_for_retry", 1), ("queued", 0), ("failed", 5)]
    )
    records.plan(5)
    records.progress(0, state="committed", photos_done=500, outcomes={"ok": 500})
    records.commit(0)
    records.progress(1, attempt=2, recent_photos_per_second=8.0, failures_named=3)
    records.progress(2, state="failed", message="storage is full")
    run = run_of(page)
    assert [one["state"] for one in run["partitions"]] == ["committed", "embedding", "retrying", "waiting", "failed"]
    assert run["totals"]["photos"] == 2500
    assert run["totals"]["done"] == 700
    assert run["totals"]["outcomes"] == {"ok": 680, "no_face": 20}
    assert run["partitions"][1]["host"] == "embed-1"
    assert run["partitions"][1]["attempt"] == 2
    assert (run["partitions"][1]["recent"], run["partitions"][1]["named"]) == (8.0, 3)
    assert run["partitions"][2]["message"] == "storage is full"
    assert run["stages"] == {"plan": "success"}


def test_a_lost_progress_record_does_not_hide_a_commit(page, airflow_run, records):
    airflow_run(embed=[("success", 1)])
    records.plan(1)
    records.commit(0)
    run = run_of(page)
    assert run["partitions"][0]["state"] == "committed"
    assert run["totals"]["done"] == 500


def test_a_run_before_its_plan(page, airflow_run):
    airflow_run(plan="running")
    run = run_of(page)
    assert (run["plan"], run["missing"], run["away"]) == (None, None, None)


def test_an_expired_run_is_reported(page, airflow_run):
    airflow_run(state="success", plan="success", reduce="success")
    assert run_of(page)["missing"] == "expired"
    assert page.get("api/result", params={"dag_id": "meanface", "run": RUN}).status_code == 404
    assert page.get("api/runs?dag_id=meanface").json()["runs"][0]["known"] is None


@pytest.mark.parametrize("plan", ["failed", "skipped", "upstream_failed", "removed", None])
def test_a_run_that_never_had_a_plan_has_not_expired(page, airflow_run, plan):
    airflow_run(state="failed", plan=plan)
    assert run_of(page)["missing"] == "unplanned"


def test_nothing_is_reported_of_a_plan_that_airflow_has_removed(page, airflow_run):
    airflow_run(state="failed")
    assert run_of(page)["missing"] is None


@pytest.mark.parametrize("broken", ['{"schema": 2}', "no JSON", ""])
def test_records_that_cannot_be_read_have_not_expired(page, airflow_run, records, client, broken):
    airflow_run(plan="success", embed=[("running", 1)])
    airflow_run(run="done", state="success")
    client.set(records.key("manifest"), broken)
    client.set(type(records)(client, "done").key("result"), broken)
    assert run_of(page)["missing"] == "unreadable"
    assert [run["known"] for run in page.get("api/runs?dag_id=meanface").json()["runs"]] == ["unreadable", "unreadable"]


def failed(stage, reason, state="failed", tasks=1, partition=None):
    return {"stage": stage, "state": state, "tasks": tasks, "partition": partition, "reason": reason}


def test_a_failed_run_has_its_reasons_in_the_order_of_its_stages(page, airflow_run, reason):
    """One reason for all embed tasks; some have none, such as those that Airflow ended."""
    states = ["success", "failed", "failed", "up_for_retry", "failed"]
    airflow_run(state="failed", reduce="failed", plan="success", embed=[(state, 1) for state in states])
    reason("reduce", "1 of 5 partitions are not committed")
    reason("plan", "of a try before")
    for index in (4, 2, 3):
        reason("embed", f"storage is full, {index}", index=index)
    reason("embed", "another XCom", index=2, key="return_value")
    wanted = [
        failed("embed", "storage is full, 2", tasks=3, partition=2),
        failed("embed", "storage is full, 3", "up_for_retry", partition=3),
        failed("reduce", "1 of 5 partitions are not committed"),
    ]
    assert sorted(run_of(page)["failed"], key=str) == sorted(wanted, key=str)
    assert [one["stage"] for one in run_of(page)["failed"]] == ["embed", "embed", "reduce"]
    (run,) = page.get("api/runs?dag_id=meanface").json()["runs"]
    assert run["failed"] == run_of(page)["failed"]


def test_a_task_without_a_reason_is_listed_as_failed(page, airflow_run):
    airflow_run(state="failed", plan="failed")
    airflow_run(run="other", state="failed", embed=[("failed", 1)])
    assert run_of(page)["failed"] == [failed("plan", None)]
    assert run_of(page, "other")["failed"] == [failed("embed", None)]


def test_a_run_that_goes_well_has_no_reason(page, airflow_run, reason):
    airflow_run(plan="success", embed=[("running", 2)])
    reason("embed", "of the try before", index=0)
    assert run_of(page)["failed"] == []
    assert page.get("api/runs?dag_id=meanface").json()["runs"][0]["failed"] == []


def test_reasons_are_available_while_redis_is_unavailable(page, airflow_run, reason, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", f"redis://127.0.0.1:{unused_port()}")
    airflow_run(state="failed", plan="failed")
    reason("plan", "Redis stayed away")
    run = run_of(page)
    assert run["away"]
    assert run["failed"] == [failed("plan", "Redis stayed away")]


@pytest.mark.parametrize("odd", [{"a": 1}, 7, None, "", ["x"]])
def test_a_reason_is_a_text(page, airflow_run, reason, odd):
    airflow_run(state="failed", plan="failed")
    reason("plan", odd)
    assert run_of(page)["failed"] == [failed("plan", None)]


def test_a_reason_arrives_as_text_of_a_bounded_length(page, airflow_run, reason):
    airflow_run(state="failed", plan="failed", reduce="failed")
    reason("plan", HOSTILE)
    reason("reduce", "a" * 1_000_000 + ".csv")
    first, second = (one["reason"] for one in run_of(page)["failed"])
    assert first == HOSTILE.replace("\u202e", "\\u202e").replace("\n", "\\n")
    assert (len(second), second[-5:]) == (1_000, "a.csv")


def test_all_runs(page, airflow_run, records, client):
    airflow_run(state="running", embed=[("running", 1)])
    records.plan(2)
    records.progress(0)
    airflow_run(run="done", state="success")
    type(records)(client, "done").result()
    airflow_run(run="queued", state="queued")
    found = {run["run"]: run for run in page.get("api/runs?dag_id=meanface").json()["runs"]}
    assert (found[RUN]["done"], found[RUN]["photos"], found[RUN]["known"]) == (100, 1000, "progress")
    assert found[RUN]["rate"] == pytest.approx(10, rel=0.2)
    assert found[RUN]["eta"] == pytest.approx(90, rel=0.2)
    assert (found["done"]["done"], found["done"]["faces"], found["done"]["known"]) == (1000, 950, "result")
    assert found["queued"]["known"] is None


def test_the_account_is_escaped_and_shortened(page, airflow_run, records):
    airflow_run(state="success")
    records.result(account=["passed over: videos: 1 ('\u202egpj.mov')", "a" * 5000])
    found = page.get("api/result", params={"dag_id": "meanface", "run": RUN}).json()["account"]
    assert found[0] == "passed over: videos: 1 ('\\u202egpj.mov')"
    assert len(found[1]) == 1000


def test_a_setting_may_be_a_list_whose_texts_are_escaped(page, airflow_run, records):
    airflow_run()
    records.result(settings={"include": ["people/*", "\u202egpj"], "exclude": [], "sample": None})
    found = page.get("api/result", params={"dag_id": "meanface", "run": RUN}).json()["settings"]
    assert found == {"include": ["people/*", "\\u202egpj"], "exclude": [], "sample": None}


def test_the_result_keeps_every_bit(page, airflow_run, records):
    airflow_run(state="success")
    mean = [0.1 + 0.2, -1 / 3, *[2.0**-30] * 126]
    records.result(mean=mean)
    found = page.get("api/result", params={"dag_id": "meanface", "run": RUN}).json()
    assert found["mean"] == mean


@pytest.mark.parametrize(
    ("location", "reason"), [("s3://results/run", "does not read buckets"), ("/not/mounted/run", "mount the storage")]
)
def test_the_reason_why_files_are_not_served_is_given(page, airflow_run, records, storage, location, reason):
    airflow_run(state="success")
    records.result(location=location)
    result = page.get("api/result", params={"dag_id": "meanface", "run": RUN}).json()
    assert (result["files"], result["location"]) == ([], location)
    assert reason in result["withheld"]


@pytest.mark.parametrize("broken", ['{"schema": 2}', "no JSON", '{"schema": 1, "partition": "x"}', "[" * 5000, "null"])
def test_an_invalid_record_counts_as_missing(page, airflow_run, records, client, broken):
    airflow_run(embed=[("running", 1), ("running", 1)])
    records.plan(2)
    records.progress(1)
    client.hset(records.key("progress"), "0", broken)
    client.hset(records.key("failures"), "0", broken)
    client.set(records.key("result"), broken)
    assert [one["state"] for one in run_of(page)["partitions"]] == ["starting", "embedding"]
    assert page.get("api/failures", params={"dag_id": "meanface", "run": RUN, "partition": [0, 1]}).json() == {
        "failures": [],
        "more": {},
    }
    assert page.get("api/result", params={"dag_id": "meanface", "run": RUN}).status_code == 404
    client.set(records.key("manifest"), broken)
    assert run_of(page)["plan"] is None


def test_hostile_and_huge_names_are_escaped_and_shortened(page, airflow_run, records):
    airflow_run()
    records.plan(1)
    huge = "a" * 1_000_000 + ".jpg"
    records.failures(0, [[HOSTILE, "undecodable", "<script>"], [huge, "unreadable", huge]], more=7)
    answer = page.get("api/failures", params={"dag_id": "meanface", "run": RUN, "partition": 0})
    assert answer.headers["content-type"] == "application/json"
    (first, second), more = answer.json()["failures"], answer.json()["more"]
    assert first == [0, HOSTILE.replace("\u202e", "\\u202e").replace("\n", "\\n"), "undecodable", "<script>"]
    assert len(second[1]) == 200
    assert second[1].endswith("aaa.jpg")
    assert more == {"0": 7}


@pytest.mark.parametrize("partitions", [[], [-1], ["x"], list(range(21))])
def test_the_partitions_of_a_request_are_limited(page, airflow_run, partitions):
    airflow_run()
    assert (
        page.get("api/failures", params={"dag_id": "meanface", "run": RUN, "partition": partitions}).status_code == 422
    )


@pytest.mark.parametrize("run", ["", "x" * 251])
def test_a_run_has_a_name(page, run):
    assert page.get("api/run", params={"dag_id": "meanface", "run": run}).status_code == 422


def test_a_runs_name_cannot_address_other_keys(page, airflow_run, client):
    airflow_run(run="a}:b{c")
    client.set("meanface:{a}:manifest", "{}")
    assert run_of(page, "a}:b{c")["plan"] is None


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """The deployment's storage folder."""
    from meanface_airflow.page import app
    from meanface_airflow.settings import Settings

    folder = tmp_path / "storage"
    (folder / "run").mkdir(parents=True)
    monkeypatch.setattr(app, "settings", lambda: Settings(storage=str(folder)))
    return folder


def address(name, run=RUN):
    return f"files/meanface/{quote(run, safe='')}/{name}"


@pytest.mark.parametrize("run", [RUN, "a/b c&?#%+"])
def test_files_are_served_side_by_side(page, airflow_run, records, client, storage, run):
    contents = {"report.html": "<h1>Mean face</h1>", "failures.csv": "photo,outcome,detail\r\n", "mean_face.png": "PNG"}
    for name, content in contents.items():
        (storage / "run" / name).write_bytes(content.encode())
    (storage / "run" / "secret.txt").write_text("secret")
    airflow_run(run=run, state="success")
    type(records)(client, run).result(location=str(storage / "run"))
    result = page.get("api/result", params={"dag_id": "meanface", "run": run}).json()
    assert (set(result["files"]), result["withheld"]) == (set(contents), None)
    answers = {name: page.get(address(name, run)) for name in contents}
    assert {name: answer.text for name, answer in answers.items()} == contents
    assert {name: answer.headers["content-type"].partition(";")[0] for name, answer in answers.items()} == {
        "report.html": "text/html",
        "failures.csv": "text/csv",
        "mean_face.png": "image/png",
    }
    assert answers["failures.csv"].headers["content-disposition"] == 'attachment; filename="failures.csv"'
    policy = answers["report.html"].headers["content-security-policy"].split("; ")
    assert policy[:2] == ["sandbox allow-downloads", "default-src 'none'"]
    assert "img-src data:" in policy
    assert not any("script" in part for part in policy)
    for name in ("secret.txt", "result.json", "ledger", "..%2frun%2freport.html"):
        assert page.get(address(name, run)).status_code == 404, name


@pytest.mark.parametrize("way", ["location", "dots", "link", "bucket", "nul"])
def test_no_record_leads_to_a_file_outside_the_storage(page, airflow_run, records, tmp_path, storage, way):
    secret = tmp_path / "report.html"
    secret.write_text("secret")
    (storage / "run" / "report.html").symlink_to(secret)
    airflow_run(state="success")
    location = {
        "location": str(tmp_path),
        "dots": f"{storage}/run/../..",
        "link": str(storage / "run"),
        "bucket": "s3://bucket/run",
        "nul": f"{storage}/run\0",
    }[way]
    records.result(location=location)
    assert page.get("api/result", params={"dag_id": "meanface", "run": RUN}).json()["files"] == []
    assert page.get(address("report.html")).status_code == 404


def test_numbers_that_json_does_not_allow_are_refused(page, airflow_run, records):
    airflow_run(embed=[("running", 1)])
    records.plan(1)
    records.progress(0, photos_per_second=float("nan"))
    assert run_of(page)["partitions"][0]["state"] == "starting"
