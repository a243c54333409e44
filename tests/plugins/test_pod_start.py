"""A task until it waits for its pod."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest
from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import TaskDeferred
from kubernetes.client import models as k8s

from meanface_airflow import pod
from meanface_airflow.pod import PodStageOperator
from stage_pods import RUN, SETTINGS


def test_a_task_waits_with_the_trigger_that_gives_up_lost_pods(ask, monkeypatch):
    operator, _ = ask(chosen=replace(SETTINGS, lost_pod_seconds=60))
    operator.pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="embed-x", namespace="faces"), status=k8s.V1PodStatus())
    with pytest.raises(TaskDeferred) as deferred:
        operator.invoke_defer_method()
    assert type(deferred.value.trigger) is pod.StagePodTrigger
    assert deferred.value.trigger.serialize()[1]["lost_pod_seconds"] == 60
    assert deferred.value.trigger.pod_name == "embed-x"


def test_airflow_is_asked_for_a_connection_only_if_there_is_one(ask, monkeypatch):
    """A request to Airflow takes more of a core than the one to Kubernetes."""
    for connection, extras in ((None, {}), ("cluster", None)):
        operator, _ = ask(chosen=replace(SETTINGS, kubernetes_connection=connection))
        assert operator.hook.conn_id == connection
        operator.pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="embed-x", namespace="faces"))
        monkeypatch.setattr(BaseHook, "get_connection", lambda _: SimpleNamespace(extra_dejson=None))
        with pytest.raises(TaskDeferred) as deferred:
            operator.invoke_defer_method()
        assert deferred.value.trigger.serialize()[1]["connection_extras"] == extras


def test_a_pod_of_before_is_found_by_its_labels_alone(operator, monkeypatch):
    contexts = []
    found = k8s.V1Pod(metadata=k8s.V1ObjectMeta(namespace="faces"), spec=k8s.V1PodSpec(containers=[]))
    monkeypatch.setattr(KubernetesPodOperator, "find_pod", lambda *_args, **_options: found)
    monkeypatch.setattr(
        KubernetesPodOperator, "get_or_create_pod", lambda _self, _request, context: contexts.append(context) or found
    )
    context = {"ti": "a task", "task_state_store": "in Airflow's database"}
    assert operator.get_or_create_pod(found, context) is found
    assert contexts == [{"ti": "a task"}]
    assert "task_state_store" in context


@pytest.fixture
def started(operator, monkeypatch):
    """Runs a task until it waits for its pod; the pods that it has created, and its XComs."""

    def run(**changes):
        created, xcoms = [], {}
        for name, value in changes.items():
            setattr(operator, name, value)
        monkeypatch.setattr(KubernetesPodOperator, "find_pod", lambda *_args, **_options: None)
        monkeypatch.setattr(operator, "hook", SimpleNamespace(core_v1_client=None, is_in_cluster=False))
        monkeypatch.setattr(operator, "pod_manager", SimpleNamespace(create_pod=lambda pod: created.append(pod) or pod))
        task_instance = SimpleNamespace(
            dag_id="meanface",
            run_id=RUN,
            task_id="embed",
            map_index=7,
            try_number=1,
            dag_version_id=UUID(int=1),
            start_date=datetime.now(UTC),
            xcom_push=lambda key, value: xcoms.update({key: value}),
        )
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute_async({"ti": task_instance, "run_id": RUN, "dag": None})
        (pod,) = created
        assert deferred.value.trigger.pod_name == pod.metadata.name == operator.pod.metadata.name
        return xcoms

    return run


def test_a_pod_starts_without_requests_for_its_name(started):
    assert started() == {}
    assert "pod_name" in started(callbacks=[KubernetesPodOperatorCallback], pod=None, pod_request_obj=None)


def test_a_text_without_a_template_is_not_compiled(operator):
    class Compiler:
        def from_string(self, text):
            raise AssertionError(text)

        get_template = from_string

    for text in ("meanface", "", "s3://a/%Y"):
        assert operator.render_template(text, {}, Compiler()) == text
    for text in ("{{ ds }}", "{% if ds %}", "a\n"):
        with pytest.raises(AssertionError, match=re.escape(text)):
            operator.render_template(text, {}, Compiler())


def test_airflow_stores_no_empty_field(operator):
    assert {"image", "arguments", "env_vars", "labels"} <= set(operator.template_fields)
    assert not {"config_file", "configmaps", "hostname"} & set(operator.template_fields)
    given = PodStageOperator(task_id="plan", stage="plan", hostname="{{ ds }}")
    assert "hostname" in given.template_fields
