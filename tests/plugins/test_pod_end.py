"""A task when its pod has ended, is lost, or never ran."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.api.datamodels._generated import TIRunContext
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance, _serialize_rendered_fields
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import NotFoundException

from meanface_airflow import pod
from meanface_airflow.errors import StageFailed, StageRefused
from meanface_airflow.pod import PodStageOperator
from stage_pods import RUN


def ended(code, message="no such dataset", reason="Error"):
    """A pod whose container ended with an exit code."""
    state = k8s.V1ContainerState(
        terminated=k8s.V1ContainerStateTerminated(exit_code=code, message=message, reason=reason)
    )
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
def test_a_refusal_is_not_retried_and_has_its_reason(failing, code):
    with pytest.raises(StageRefused, match=f"exit code {code}.*no such dataset"):
        failing.cleanup(ended(code), ended(code))


@pytest.mark.parametrize("code", [1, 4, 137])
def test_any_other_failure_is_retried(failing, code):
    with pytest.raises(StageFailed, match=f"exit code {code}") as failure:
        failing.cleanup(ended(code), ended(code))
    assert not isinstance(failure.value, StageRefused)


@pytest.mark.parametrize("lost", [k8s.V1Pod(), k8s.V1Pod(status=k8s.V1PodStatus(phase="Failed"))])
def test_a_pod_that_never_ran_is_retried(failing, lost):
    with pytest.raises(StageFailed, match="returned a failure") as failure:
        failing.cleanup(lost, lost)
    assert not isinstance(failure.value, StageRefused)


@pytest.fixture
def cluster(failing):
    """A cluster with one warning about the pod; it records which pods are deleted."""
    events = [("Warning", "FailedAttachVolume", "Multi-Attach error"), ("Normal", "Pulled", "the image is there")]
    listed = SimpleNamespace(items=[SimpleNamespace(type=t, reason=r, message=m) for t, r, m in events])
    manager = SimpleNamespace(deleted=[], read_pod_events=lambda _: listed)
    manager.delete_pod = manager.deleted.append
    failing.pod_manager = manager
    return manager


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_pod_that_does_not_end_is_deleted_and_its_last_warning_is_the_reason(failing, cluster, phase):
    """For every partition: most of them do not log events while they wait."""
    waiting = k8s.V1Pod(status=k8s.V1PodStatus(phase=phase))
    with pytest.raises(
        StageFailed, match=f"meanface embed: the pod was {phase} .*FailedAttachVolume: Multi-Attach error"
    ):
        failing.cleanup(waiting, waiting)
    assert cluster.deleted == [waiting]


def test_without_a_warning_the_reason_is_the_operators(failing, cluster):
    cluster.read_pod_events(None).items.clear()
    waiting = k8s.V1Pod(status=k8s.V1PodStatus(phase="Pending"))
    with pytest.raises(StageFailed, match=r"was deleted: Pod meanface-embed-x returned a failure"):
        failing.cleanup(waiting, waiting)


def test_what_kubernetes_did_to_the_pod_is_the_reason(failing):
    killed = ended(137, message="", reason="OOMKilled")
    with pytest.raises(
        StageFailed, match=r"exit code 137: killed by SIGKILL: OOMKilled: .*raise the limit.*; the task"
    ):
        failing.cleanup(killed, killed)
    evicted = ended(143, message="")
    evicted.status.reason, evicted.status.message = "Evicted", "The node was low on resource: memory."
    expected = r"exit code 143: killed by SIGTERM: Evicted: The node was low on resource: memory\.; the task is retried"
    with pytest.raises(StageFailed, match=expected):
        failing.cleanup(evicted, evicted)


def test_a_preempted_pod_names_its_preemption(failing):
    preempted = ended(137, message="")
    message = "default-scheduler: preempting to accommodate a higher priority pod"
    preempted.status.conditions = [
        k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="PreemptionByScheduler", message=message)
    ]
    with pytest.raises(StageFailed, match=f"killed by SIGKILL: PreemptionByScheduler: {message}; the task is retried"):
        failing.cleanup(preempted, preempted)


def test_a_deleted_pod_and_one_that_nobody_explains(failing):
    deleted = ended(143, message="")
    deleted.metadata = k8s.V1ObjectMeta(deletion_timestamp=datetime(2026, 1, 2, tzinfo=UTC))
    with pytest.raises(StageFailed, match="killed by SIGTERM: the pod was deleted; the task is retried"):
        failing.cleanup(deleted, deleted)
    with pytest.raises(StageFailed, match=r"killed by SIGKILL: Kubernetes names no cause: .*; the task is retried"):
        failing.cleanup(ended(137, message=""), ended(137, message=""))


def test_a_task_that_goes_on_asks_for_no_image_and_sends_no_fields(operator):
    """Two requests to Airflow for each pod, which has both from the task's start."""

    def refuse(**_):
        raise AssertionError("the image is looked up")

    assert "next_method" in TIRunContext.model_fields
    assert "_ti_context_from_server" in RuntimeTaskInstance.__private_attributes__
    again = PodStageOperator(task_id="embed", stage="embed", partition=7)
    ti = SimpleNamespace(dag_id="meanface", run_id=RUN, map_index=7, try_number=1, xcom_pull=refuse)
    context = {"ti": ti, "run_id": RUN, "dag": None, "params": {"dataset": "sample"}}
    with pytest.raises(AssertionError):
        again.render_template_fields(context)
    ti._ti_context_from_server = SimpleNamespace(next_method="trigger_reentry")
    again.render_template_fields(context)
    assert _serialize_rendered_fields(again) == {}
    assert again.arguments == operator.arguments  # lineage reads them


@pytest.mark.parametrize("gone", [False, True])
def test_a_lost_pod_is_removed_by_force_and_the_task_fails(operator, monkeypatch, gone):
    removed = []

    def delete(name, namespace, **options):
        removed.append((name, namespace, options))
        if gone:
            raise NotFoundException(status=404)

    monkeypatch.setattr(type(operator), "client", SimpleNamespace(delete_namespaced_pod=delete))
    message = f"{pod.LOST} 2026-01-02T12:00:00+00:00, so its node is probably lost (node2)"
    event = {"status": "timeout", "name": "embed-x", "namespace": "faces", "message": message}
    with pytest.raises(StageFailed, match=r"meanface embed: the pod is Terminating since .*node2"):
        operator.trigger_reentry({"ti": SimpleNamespace(xcom_push=lambda *_: None)}, event)
    assert removed == [("embed-x", "faces", {"grace_period_seconds": 0})]


def test_a_pod_that_is_gone_fails_its_task_with_a_sentence(operator, monkeypatch):
    def get_pod(*_):
        raise NotFoundException(status=404)

    monkeypatch.setattr(type(operator), "hook", SimpleNamespace(get_pod=get_pod))
    event = {"status": "error", "name": "embed-x", "namespace": "faces", "message": "404"}
    with pytest.raises(StageFailed, match=r"meanface embed: the pod was deleted .* the task is retried"):
        operator.trigger_reentry({"ti": SimpleNamespace(xcom_push=lambda *_: None)}, event)
