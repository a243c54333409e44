import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from meanface_airflow import process
from meanface_airflow.errors import StageFailed, StageRefused
from meanface_airflow.pod import pod_settings
from meanface_airflow.process import ProcessStageOperator, stage_environment
from meanface_airflow.process_group import ProcessGroup
from meanface_airflow.settings import Settings
from polling import until

PASSWORD = "s3cret/+word"


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """An operator whose executable is a shell script, ready to execute."""
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", f'{{"conn_type": "redis", "password": "{PASSWORD}"}}')

    def make(script, **operator):
        executable = tmp_path / "meanface"
        executable.write_text(f"#!/bin/bash\n{script}\n")
        executable.chmod(0o700)
        chosen = Settings(executable=str(executable), storage="/photos/results")
        monkeypatch.setattr(process, "settings", lambda: chosen)
        made = ProcessStageOperator(task_id="reduce", stage="reduce", **operator)
        made.arguments = made.arguments({"run_id": "run", "ti": SimpleNamespace(dag_id="meanface")})
        return made

    return make


def gone(pid):
    """Whether a process has ended."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def child(folder):
    """The process id that a stage has written, or 0."""
    written = folder / "child"
    return int(written.read_text() or 0) if written.exists() else 0


def test_the_stages_lines_are_the_tasks_log(stage, capfd):
    stage('echo "did $*"; echo "level=warning msg=odd" >&2').execute({})
    logged = capfd.readouterr().out
    assert "did reduce --run=run" in logged
    assert "level=warning msg=odd" in logged


@pytest.mark.parametrize("code", [2, 3])
def test_a_refusal_is_not_retried_and_has_its_reason(stage, code):
    with pytest.raises(StageRefused, match=f"exit code {code}.*checksum is wrong"):
        stage(f"echo one; echo the checksum is wrong >&2; echo; exit {code}").execute({})


@pytest.mark.parametrize("code", [1, 4, 137])
def test_any_other_failure_is_retried_and_has_its_reason(stage, code):
    with pytest.raises(StageFailed, match=f"exit code {code}.*Redis is away") as failure:
        stage(f"echo Redis is away; exit {code}").execute({})
    assert not isinstance(failure.value, StageRefused)


def test_a_killed_stage_is_retried(stage):
    with pytest.raises(StageFailed, match=r"SIGKILL.*MEANFACE_WORKERS") as failure:
        stage("kill -9 $$").execute({})
    assert not isinstance(failure.value, StageRefused)


def test_a_missing_executable_is_not_retried(stage):
    made = stage("true")
    Path(process.settings().executable).unlink()
    with pytest.raises(StageRefused, match="MEANFACE_EXECUTABLE"):
        made.execute({})


def test_a_stage_has_the_password_in_its_environment_only(stage, tmp_path):
    made = stage(f'echo "$0 $*" > {tmp_path}/argv; env > {tmp_path}/env')
    made.execute({})
    quoted = "s3cret%2F%2Bword"
    assert f"MEANFACE_REDIS_URL=redis://:{quoted}@localhost:6379/0" in (tmp_path / "env").read_text()
    assert "s3cret" not in (tmp_path / "argv").read_text()
    assert "s3cret" not in str([getattr(made, field) for field in made.template_fields])


def test_a_stage_inherits_only_what_it_needs_of_airflows_environment():
    needed = {"PATH": "/bin", "HOME": "/home/me", "AWS_PROFILE": "photos", "FSSPEC_S3_ENDPOINT_URL": "http://minio"}
    withheld = {"AIRFLOW__CORE__FERNET_KEY": "k", "AIRFLOW_CONN_X": "c", "_AIRFLOW_PROCESS_CONTEXT": "x", "OTHER": "o"}
    chosen = Settings(storage="s3://results", cache="/models", private_addresses="10.1.0.0/16")
    given = stage_environment(needed | withheld, chosen, "redis://:p@h")
    assert given == needed | {
        "MEANFACE_REDIS_URL": "redis://:p@h",
        "MEANFACE_STORAGE": "s3://results",
        "MEANFACE_CACHE": "/models",
        "MEANFACE_PRIVATE_ADDRESSES": "10.1.0.0/16",
    }


def test_stages_of_both_runtimes_have_the_same_environment():
    """Except Redis' URL, which a pod gets from a Secret, and variables of the process runtime."""
    chosen = Settings(
        storage="/results",
        private_addresses="10.1.0.0/16",
        kernels="avx2",
        redis_patience="600",
        env={"AWS_REGION": "eu-1", "EMPTY": ""},
    )
    given = stage_environment({"PATH": "/bin", "AWS_REGION": "us-1"}, chosen, "redis://h")
    assert given == pod_settings(chosen)["env_vars"] | {"PATH": "/bin", "MEANFACE_REDIS_URL": "redis://h"}
    assert given == {
        "PATH": "/bin",
        "AWS_REGION": "eu-1",
        "EMPTY": "",
        "MEANFACE_STORAGE": "/results",
        "MEANFACE_PRIVATE_ADDRESSES": "10.1.0.0/16",
        "MEANFACE_KERNELS": "avx2",
        "MEANFACE_REDIS_PATIENCE": "600",
        "MEANFACE_REDIS_URL": "redis://h",
    }


def test_a_timeout_ends_the_group(stage, tmp_path):
    made = stage(f"sleep 600 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(AirflowTaskTimeout), timeout(1):  # as Airflow does for an execution_timeout
        made.execute({})
    until(lambda: gone(child(tmp_path)))


def test_on_kill_ends_a_group_that_ignores_sigterm(stage, tmp_path, monkeypatch):
    """As in Airflow, whose handler of SIGTERM calls on_kill while execute runs."""
    monkeypatch.setattr(process, "GRACE", 0.2)
    made = stage(f"trap '' TERM; bash -c 'sleep 600 & echo $! > {tmp_path}/child; wait' & wait")

    def kill():
        until(lambda: child(tmp_path))
        while not gone(child(tmp_path)):  # a signal just before `read` blocks is seen by the next one
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)

    before = signal.signal(signal.SIGTERM, lambda *_: made.on_kill())
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(StageFailed, match="SIGKILL"):
            made.execute({})
    finally:
        killer.join()
        signal.signal(signal.SIGTERM, before)
    until(lambda: gone(child(tmp_path)))


def test_on_kill_ends_a_group_that_is_being_started(stage, monkeypatch):
    made = stage("sleep 600")

    class Killed(ProcessGroup):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.on_kill()  # the operator has no group yet

    monkeypatch.setattr(process, "ProcessGroup", Killed)
    with pytest.raises(StageFailed, match="SIGTERM"):
        made.execute({})


def test_on_kill_before_the_start_leaves_a_task_that_can_start(stage, capfd):
    made = stage("echo did it")
    made.on_kill()
    made.execute({})
    assert "did it" in capfd.readouterr().out


def test_the_password_is_masked(stage, monkeypatch):
    masked = []
    monkeypatch.setattr("meanface_airflow.connection.mask_secret", masked.append)
    stage("true").execute({})
    assert masked == [PASSWORD, "s3cret%2F%2Bword"]


def test_without_the_connection_the_task_is_refused(stage, monkeypatch):
    made = stage("true")
    monkeypatch.delenv("AIRFLOW_CONN_MEANFACE_REDIS")
    with pytest.raises(StageRefused, match="no connection meanface_redis"):
        made.execute({})
