"""The complete system: Airflow's four components, PostgreSQL, Valkey, and the stages."""

import json
import re
import signal
import socket
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from machine import CHECKOUT, Laptop

from laptop.api import Airflow
from laptop.services import is_free
from polling import until


@pytest.fixture(scope="module")
def taken():
    """A port that another process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def up(tmp_path_factory, taken):
    """Everything up, and the output of `up`."""
    laptop = Laptop(tmp_path_factory.mktemp("home"))
    try:
        started = laptop.do("up", "--port", str(taken))
        assert started.returncode == 0, started.stderr
        laptop.saved()
        yield laptop, started.stdout
    finally:
        assert laptop.do("down").returncode == 0
    assert not laptop.processes()


@pytest.fixture
def airflow(up):
    """A client of the running Airflow."""
    laptop, _ = up
    secrets = json.loads((laptop.home / "secrets.json").read_text())
    with Airflow(f"http://127.0.0.1:{laptop.saved()['ui_port']}", secrets["ui_password"]) as client:
        client.log_in()
        yield client


def run_name(text):
    """The name of the run in a command's output."""
    return next(line.split()[1] for line in text.splitlines() if line.startswith("run "))


def test_a_port_in_use_is_not_used(up, taken):
    laptop, printed = up
    assert f"port {taken} is in use" in printed
    assert laptop.saved()["ui_port"] > taken


def test_secrets_are_their_owners_only(up):
    laptop, _ = up
    private = [laptop.home / name for name in ("secrets.json", "services.json", "environment", "airflow", "database")]
    private.append(laptop.home / "airflow" / "simple_auth_manager_passwords.json.generated")
    assert [path.name for path in private if path.stat().st_mode & 0o077] == []


def test_no_secret_is_in_a_process_list(up):
    laptop, _ = up
    secrets = json.loads((laptop.home / "secrets.json").read_text()).values()
    listed = " ".join(" ".join(process.cmdline()) for process in laptop.processes())
    assert "valkey" in listed
    assert not [secret for secret in secrets if secret in listed]


def test_up_again_changes_nothing(up):
    laptop, _ = up
    before = laptop.saved()
    assert "already up" in laptop.do("up").stdout
    assert laptop.saved() == before


def test_a_run_ends_with_the_mean_in_xcom_to_the_last_bit(up, airflow):
    laptop, _ = up
    done = laptop.do("run", "--partition-size", "6")
    assert done.returncode == 0, done.stderr
    run = run_name(done.stdout)
    result = json.loads((laptop.home / "storage" / "runs" / run / "result.json").read_text())
    mean = airflow.xcom(run, "publish", "mean_vector")
    assert len(mean) == 128
    assert mean == result["mean"]
    summary = airflow.xcom(run, "publish", "return_value")
    assert {name: summary[name] for name in ("photos", "faces", "outcomes", "fingerprint")} == {
        name: result[name] for name in ("photos", "faces", "outcomes", "fingerprint")
    }
    answer = airflow._http.get(f"/api/v2/dags/meanface/dagRuns/{quote(run, safe='')}/wait", params={"interval": 1})
    state = json.loads(answer.raise_for_status().text.splitlines()[-1])
    assert (state["state"], state["results"]["publish"]["mean"]) == ("success", mean)
    embeds = [task for task in airflow.tasks(run) if task["task_id"] == "embed"]
    assert {task["map_index"] for task in embeds} == set(range(result["partitions"]["total"]))
    account = f"account     {result['account'][0]}"
    for text in (f"photos      {result['photos']}", "norm", account, "files", laptop.home.name):
        assert text in done.stdout


@pytest.mark.long
def test_a_run_unpauses_the_dag_and_reports_it(up, airflow):
    """A DAG that was paused in the UI stays paused after a restart, and none of its runs starts."""
    laptop, _ = up
    airflow._http.patch("/api/v2/dags/meanface", json={"is_paused": True}).raise_for_status()
    done = laptop.do("run")
    assert done.returncode == 0, done.stderr
    assert "the DAG was paused" in done.stdout
    assert not airflow.unpause()


@pytest.mark.long
def test_a_run_whose_dag_is_paused_meanwhile_reports_it_and_continues_afterwards(up, airflow):
    laptop, _ = up
    with laptop.start("run") as command:
        for line in command.stdout:
            if line.startswith("run "):
                airflow._http.patch("/api/v2/dags/meanface", json={"is_paused": True}).raise_for_status()
            if "unpause it in the UI" in line:
                assert airflow.unpause()
                break
        rest, _ = command.communicate(timeout=240)
    assert command.returncode == 0, rest
    assert "mean " in rest


def test_a_missing_dataset_is_refused_at_once(up):
    laptop, _ = up
    done = laptop.do("run", "--dataset", "no/such/folder")
    assert done.returncode == 2
    assert str(Path("no/such/folder").absolute()) in done.stderr


def test_a_refused_stage_is_not_retried_and_has_its_reason(up, airflow, tmp_path):
    laptop, _ = up
    (tmp_path / "archive.tar").write_text("no archive")
    done = laptop.do("run", "--dataset", str(tmp_path / "archive.tar"))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("plan failed: ")
    assert done.stderr.count(str(tmp_path / "archive.tar")) == 1
    assert "Traceback" not in done.stdout + done.stderr
    plan = next(task for task in airflow.tasks(run_name(done.stdout)) if task["task_id"] == "plan")
    assert (plan["state"], plan["try_number"]) == ("failed", 1)
    log = [line for line in airflow.log(run_name(done.stdout), plan) if not line.startswith("::")]
    assert log[-2] == "Task exited"
    assert log[-1].endswith(last.removeprefix("plan failed: "))
    assert not [line for line in log if "Traceback" in line]


def test_bad_params_are_refused_by_name(up):
    laptop, _ = up
    done = laptop.do("run", "--faces", "second")
    assert done.returncode == 2
    assert "faces" in done.stderr


@pytest.mark.long
def test_a_task_marked_failed_leaves_no_process(up, airflow, slow):
    laptop, _ = up
    run = airflow.trigger({"dataset": str(slow)})
    until(lambda: laptop.stages("embed"))
    (stage,) = laptop.stages("embed")
    workers = until(stage.children)
    airflow.fail_task(run, "embed", 0)
    until(lambda: not any(process.is_running() for process in (stage, *workers)))
    until(lambda: airflow.state(run) == "failed")
    assert next(task for task in airflow.tasks(run) if task["task_id"] == "embed")["try_number"] == 1


@pytest.mark.long
def test_the_stage_of_a_killed_supervisor_ends(up, airflow, slow):
    laptop, _ = up
    run = airflow.trigger({"dataset": str(slow)})
    until(lambda: laptop.stages("embed"))
    (stage,) = laptop.stages("embed")
    task = stage.parent()
    task.parent().kill()
    until(lambda: not laptop.stages("embed"))
    until(lambda: not task.is_running() or task.status() == psutil.STATUS_ZOMBIE)
    airflow.fail(run)


@pytest.mark.long
def test_a_backfill_runs_a_day_that_has_passed(up, airflow):
    day = "2026-01-05T00:00:00+00:00"
    backfill = {"dag_id": "meanface", "from_date": day, "to_date": day}
    airflow._http.post("/api/v2/backfills", json=backfill).raise_for_status()
    run = "backfill__2026-01-06T00:00:00+00:00"  # when the day ends
    until(lambda: airflow.state(run) == "success", 240)
    plan = next(task for task in airflow.tasks(run) if task["task_id"] == "plan")
    assert f"--date={day}" in plan["rendered_fields"]["arguments"]


@pytest.mark.long
@pytest.mark.parametrize("date", [None, "2026-03-01T00:00:00+00:00"])
def test_a_run_is_cleared_as_documented_with_and_without_a_logical_date(up, airflow, date):
    ways = re.findall(r"^    api (\S+) '(\{[^']*\})'", (CHECKOUT / "docs/operations.md").read_text(), re.MULTILINE)
    asked = {"logical_date": date, "conf": {"dataset": "sample"}, "dag_run_id": f"to-clear-{bool(date)}"}
    run = airflow._http.post("/api/v2/dags/meanface/dagRuns", json=asked).raise_for_status().json()["dag_run_id"]
    until(lambda: airflow.state(run) == "success", 240)
    found = []
    for path, body in ways:
        dry = json.loads(body.replace("RUN", run).replace("7", "0")) | {"dry_run": True}
        answer = airflow._http.post(f"/api/v2/dags/meanface/{path.replace('RUN', run)}", json=dry).raise_for_status()
        found.append({task["task_id"] for task in answer.json()["task_instances"]})
    after = {"embed", "reduce", "publish"}
    assert found == [after | {"plan", "list_partitions"}, set(), after, after]


@pytest.mark.long
def test_ctrl_c_stops_the_run_and_leaves_airflow_up(up, airflow, slow):
    laptop, _ = up
    before = laptop.saved()
    with laptop.start("run", "--dataset", str(slow)) as command:
        until(lambda: laptop.stages("embed"))
        command.send_signal(signal.SIGINT)
        out, _ = command.communicate(timeout=60)
    assert command.returncode == 128 + signal.SIGINT
    until(lambda: not laptop.stages("embed"))
    assert airflow.state(run_name(out)) == "failed"
    assert laptop.saved() == before


@pytest.mark.long
def test_down_during_a_run_leaves_nothing(up, airflow, slow):
    laptop, _ = up
    airflow.trigger({"dataset": str(slow)})
    until(lambda: laptop.stages("embed"))
    ports = [laptop.saved()[name] for name in ("ui_port", "valkey_port")]
    assert laptop.do("down").stdout == "stopped\n"
    assert laptop.processes() == []
    assert all(is_free(port) for port in ports)
    assert laptop.do("down").stdout == "nothing to stop: Airflow is not up\n"


@pytest.mark.long
def test_ctrl_c_during_the_start_leaves_nothing(tmp_path):
    laptop = Laptop(tmp_path)

    def started():
        note = laptop.saved()
        return note and any(session["name"] == "scheduler" for session in note["sessions"]) and note

    with laptop.start("run") as command:
        note = until(started)
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=60)
    assert command.returncode == 128 + signal.SIGINT
    assert laptop.processes() == []
    assert laptop.saved() is None
    assert is_free(note["ui_port"])
    assert is_free(note["valkey_port"])
