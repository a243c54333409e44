import json
from types import SimpleNamespace

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client import ApiClient
from kubernetes.client import models as k8s

from meanface_airflow import pod
from meanface_airflow.exits import StageFailed, StageRefused
from meanface_airflow.pod import PodStageOperator
from meanface_airflow.settings import Settings

SETTINGS = Settings(
    image="registry.example/meanface:1",
    namespace="faces",
    storage="s3://results",
    redis_secret="redis-address",
    storage_secret="bucket-key",
)


@pytest.fixture
def operator(monkeypatch):
    """The operator of an embed task."""
    monkeypatch.setattr(pod, "settings", lambda: SETTINGS)
    return PodStageOperator(task_id="embed", stage="embed", partition=7)


@pytest.fixture
def spec(operator):
    """The pod it asks for, as Kubernetes reads it."""
    task_instance = SimpleNamespace(dag_id="meanface", task_id="embed", map_index=7, try_number=1)
    context = {"ti": task_instance, "run_id": "manual__1", "dag": None}
    operator.render_template_fields(context)
    return ApiClient().sanitize_for_serialization(operator.build_pod_request_obj(context, dry_run=True))


def test_it_waits_without_a_slot_and_without_a_sidecar(operator):
    assert operator.deferrable
    assert not operator.do_xcom_push
    assert operator.random_name_suffix
    assert not operator.log_pod_spec_on_failure
    assert not operator.log_events_on_startup
    assert operator.schedule_timeout_seconds >= 24 * 60 * 60
    assert operator.on_finish_action.value == "delete_succeeded_pod"


def test_the_pod_runs_the_stage(spec):
    (container,) = spec["spec"]["containers"]
    assert container["image"] == SETTINGS.image
    assert container["command"] == ["meanface"]
    assert container["args"] == ["embed", "--run=manual__1", "--partition=7", "--attempt=1"]
    assert spec["metadata"]["namespace"] == "faces"
    assert spec["spec"]["automountServiceAccountToken"] is False


def test_credentials_are_references(spec):
    (container,) = spec["spec"]["containers"]
    assert container["env"] == [
        {"name": "MEANFACE_STORAGE", "value": "s3://results"},
        {"name": "MEANFACE_REDIS_URL", "valueFrom": {"secretKeyRef": {"name": "redis-address", "key": "url"}}},
    ]
    assert container["envFrom"] == [{"secretRef": {"name": "bucket-key"}}]


def test_no_password_is_in_the_pod(operator, spec, monkeypatch):
    assert "redis://" not in json.dumps(spec)


def test_labels_tell_run_stage_and_partition(spec):
    labels = spec["metadata"]["labels"]
    assert labels["run_id"] == "manual__1"
    assert labels["app.kubernetes.io/component"] == "embed"
    assert labels["meanface/partition"] == "7"
    assert labels["map_index"] == "7"


def ended(code, message="no such dataset"):
    """A pod whose container ended with an exit code."""
    state = k8s.V1ContainerState(terminated=k8s.V1ContainerStateTerminated(exit_code=code, message=message))
    status = k8s.V1ContainerStatus(name="base", state=state, image="", image_id="", ready=False, restart_count=0)
    return k8s.V1Pod(status=k8s.V1PodStatus(phase="Failed", container_statuses=[status]))


@pytest.fixture
def failing(operator, monkeypatch):
    """The operator, on a cluster where every pod has failed."""

    def cleanup(*_, **__):
        raise AirflowException("Pod meanface-embed-x returned a failure.")

    monkeypatch.setattr(KubernetesPodOperator, "cleanup", cleanup)
    return operator


@pytest.mark.parametrize("code", [2, 3])
def test_a_refusal_is_not_retried_and_says_why(failing, code):
    with pytest.raises(StageRefused, match=f"exit code {code}.*no such dataset"):
        failing.cleanup(ended(code), ended(code))
    assert issubclass(StageRefused, AirflowFailException)


@pytest.mark.parametrize("code", [1, 4, 137])
def test_any_other_failure_is_retried(failing, code):
    with pytest.raises(StageFailed, match=f"exit code {code}"):
        failing.cleanup(ended(code), ended(code))


@pytest.mark.parametrize("lost", [k8s.V1Pod(), k8s.V1Pod(status=k8s.V1PodStatus(phase="Failed"))])
def test_a_pod_that_never_ran_is_retried(failing, lost):
    with pytest.raises(AirflowException, match="returned a failure") as failure:
        failing.cleanup(lost, lost)
    assert not isinstance(failure.value, AirflowFailException)
