"""How failed tasks end in Airflow's own task runner: its log, its state, its XCom."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import RetryAction

from airflow_home import served_database
from meanface_airflow.errors import RetryUnlessRefused, StageFailed, StageRefused, fail_stage, fail_task

PLUGINS = Path(__file__).parents[2] / "plugins"
SENTENCE = "no face in any of 3 photos: look at 'failures.csv'"
STAGE = f"""#!/bin/bash
echo "working on $1"
echo "meanface: NoFaceFound: {SENTENCE}" >&2
[ "$1" = plan ] && exit 4
exit 3
"""
DAG = """
from datetime import UTC, datetime, timedelta
from airflow.sdk import DAG
from meanface_airflow.process import ProcessStageOperator
from meanface_airflow.tasks import publish

with DAG("ends", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)) as dag:
    once = {"retries": 1, "retry_delay": timedelta(0)}
    ProcessStageOperator(task_id="retried", stage="plan", **once)
    ProcessStageOperator(task_id="refused", stage="reduce", **once)
    publish.override(task_id="empty", **once)()
"""
RUN = """
import json
from airflow.utils.db import initdb
initdb()
from ends import dag
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
run = dag.test()
with create_session() as session:
    errors = {row.task_id: row.value for row in session.query(XComModel).where(XComModel.key == "error")}
tasks = {task.task_id: [task.state, task.try_number] for task in run.get_task_instances()}
print(json.dumps({"errors": errors, "tasks": tasks}))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory, unused_redis):
    """A run of three failing tasks, in its own process: what Airflow stores of it, and its log."""
    home = tmp_path_factory.mktemp("home")
    (home / "dags").mkdir()
    (home / "dags" / "ends.py").write_text(DAG)
    (home / "meanface").write_text(STAGE)
    (home / "meanface").chmod(0o700)
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{PLUGINS}:{home / 'dags'}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_MEANFACE_REDIS": unused_redis,
        "MEANFACE_RUNTIME": "process",
        "MEANFACE_EXECUTABLE": str(home / "meanface"),
    }
    with served_database(home) as address:
        environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = address
        done = subprocess.run(
            [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=False, timeout=300
        )
    assert done.returncode == 0, done.stderr
    *log, printed = done.stdout.splitlines()
    return json.loads(printed), "\n".join(log) + done.stderr


@pytest.fixture(scope="module")
def unused_redis():
    """A connection to a Redis that does not exist."""
    from laptop.services import unused_port

    return json.dumps({"conn_type": "redis", "host": "127.0.0.1", "port": unused_port()})


@pytest.mark.long
def test_no_log_has_a_traceback(ended):
    assert "Traceback" not in ended[1]


@pytest.mark.long
def test_the_last_line_of_a_tries_log_is_the_reason_and_it_is_there_once(ended):
    """Only the markers follow with which Airflow's UI folds its own lines."""
    lines = [line for line in ended[1].splitlines() if "[task]" in line or "meanface" in line]
    tries = [at for at, line in enumerate(lines) if SENTENCE in line]
    assert len(tries) == 3  # the retried task has two
    assert all("Task exited" in lines[at] and "working on" in lines[at - 1] for at in tries)
    assert all("::group::Post Execute" in lines[at + 1] and "::endgroup::" in lines[at + 2] for at in tries)


@pytest.mark.long
def test_a_refusal_is_not_retried_and_other_failures_are(ended):
    assert ended[0]["tasks"] == {"retried": ["failed", 2], "refused": ["failed", 1], "empty": ["failed", 2]}


@pytest.mark.long
def test_the_reason_is_an_xcom(ended):
    errors = ended[0]["errors"]
    assert errors.keys() == {"retried", "refused", "empty"}
    assert errors["retried"] == errors["refused"] == SENTENCE
    assert errors["empty"].startswith("cannot read Redis through Airflow's connection meanface_redis: ")


@pytest.mark.parametrize(
    ("code", "last", "text", "reason"),
    [
        (3, "meanface: Conflict: two answers", "exit code 3: Conflict: two answers", "two answers"),
        (2, "Error: No such option: --x", "exit code 2: No such option: --x", "No such option: --x"),
        (1, "ValueError: no number", "exit code 1: ValueError: no number", "ValueError: no number"),
        (4, "nothing", "exit code 4: nothing", "nothing"),
        (-15, "level=info", "killed by SIGTERM", "killed by SIGTERM"),
    ],
)
def test_the_reason_is_the_errors_sentence(code, last, text, reason):
    pushed = {}
    with pytest.raises(StageFailed) as failure:
        fail_stage("plan", code, last, {"ti": Pushing(pushed)})
    assert str(failure.value) == f"meanface plan: {text}"
    assert pushed == {"error": reason}


def test_the_task_fails_even_if_the_xcom_cannot_be_pushed():
    with pytest.raises(StageRefused, match="no such dataset"):
        fail_task(StageRefused("no such dataset"), {"ti": None})


@pytest.mark.parametrize("failure", [StageFailed("x"), StageRefused("x"), ValueError("x")])
def test_the_retry_policy_fails_only_for_refusals(failure):
    wanted = RetryAction.FAIL if isinstance(failure, StageRefused) else RetryAction.DEFAULT
    decision = RetryUnlessRefused().evaluate(failure, 1, 4)
    assert (decision.action, decision.reason) == (wanted, None)


class Pushing:
    """A task instance that records its XComs."""

    def __init__(self, pushed):
        self._pushed = pushed

    def xcom_push(self, key, value):
        self._pushed[key] = value
