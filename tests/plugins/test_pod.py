import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import BaseHook
from airflow.sdk.api.datamodels._generated import TIRunContext
from airflow.sdk.exceptions import AirflowException, TaskDeferred
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance, _serialize_rendered_fields
from kubernetes.client import ApiClient
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import NotFoundException

from meanface_airflow import pod
from meanface_airflow.errors import StageFailed, StageRefused
from meanface_airflow.pod import PodStageOperator
from meanface_airflow.settings import Settings

SETTINGS = Settings(
    image="registry.example/meanface:1",
    image_pull_policy="Always",
    image_pull_secrets=("registry",),
    namespace="faces",
    instance="mine",
    service_account="stages",
    priority_class="batch",
    resources={"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}},
    node_selector={"disk": "ssd"},
    tolerations=[{"key": "spot", "operator": "Exists"}],
    affinity={"nodeAffinity": {}},
    env={"AWS_REGION": "eu-1"},
    storage="s3://results",
    redis_secret="redis-address",
    storage_secret="bucket-key",
)
RUN = "manual__2026-11-24T05:52:17.859827+00:00"


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


def test_it_waits_without_a_slot_and_without_a_sidecar(operator):
    assert operator.deferrable
    assert not operator.do_xcom_push
    assert operator.random_name_suffix
    assert not operator.log_pod_spec_on_failure
    assert operator.schedule_timeout_seconds >= 24 * 60 * 60
    assert operator.on_finish_action.value == "delete_succeeded_pod"


def test_the_pod_names_its_task(spec):
    owner = json.loads(spec["metadata"]["annotations"]["meanface/task"])
    assert owner == {
        "dag_version": str(UUID(int=1)),
        "dag_id": "meanface",
        "run_id": RUN,
        "task_id": "embed",
        "map_index": 7,
    }


@pytest.mark.parametrize(("stage", "partition"), [("embed", 3), ("reduce", None)])
def test_a_run_keeps_the_image_of_its_plan(ask, stage, partition):
    """An upgrade in mid-run gives the settings another image."""
    _, spec = ask(stage, partition, planned="registry.example/meanface:0")
    assert spec["spec"]["containers"][0]["image"] == "registry.example/meanface:0"
    _, spec = ask(stage, partition)
    assert spec["spec"]["containers"][0]["image"] == SETTINGS.image


@pytest.mark.parametrize(
    "planted",
    [
        "elsewhere.example/meanface:1",
        "registry.example/other:1",
        "registry.example/meanface-other:1",
        "registry.example/meanface/other:1",
        "registry.example:5000/meanface:1",
        {"image": "meanface"},
    ],
)
def test_an_image_of_another_repository_in_the_xcom_is_not_run(ask, caplog, planted):
    """Users who may edit XComs could run any program with the stages' credentials."""
    former = replace(SETTINGS, former_image="registry.example/meanface:0")
    for chosen in (SETTINGS, former):
        _, spec = ask("embed", planned=planted, chosen=chosen)
        assert spec["spec"]["containers"][0]["image"] == SETTINGS.image
    assert "not of the repository registry.example/meanface: this stage uses registry.example/meanface:1" in caplog.text


@pytest.mark.parametrize(
    "planned", ["registry.example/meanface:2", "registry.example/meanface@sha256:00", "old.example/meanface:0"]
)
def test_an_image_of_the_repository_or_the_former_one_is_run(ask, planned):
    _, spec = ask("embed", planned=planned, chosen=replace(SETTINGS, former_image="old.example/meanface:0"))
    assert spec["spec"]["containers"][0]["image"] == planned


def test_a_plan_has_the_image_of_the_settings(ask):
    """When the plan is repeated after an upgrade, the run has the new image."""
    _, spec = ask("plan", None, planned="registry.example/meanface:0")
    assert spec["spec"]["containers"][0]["image"] == SETTINGS.image


def test_the_pod_runs_the_stage(spec):
    (container,) = spec["spec"]["containers"]
    assert container["image"] == SETTINGS.image
    assert container["command"] == ["meanface"]
    assert container["args"] == ["embed", f"--run={RUN}", "--partition=7", "--attempt=1"]
    assert spec["metadata"]["namespace"] == "faces"
    assert spec["spec"]["automountServiceAccountToken"] is False


def test_credentials_are_references(spec):
    (container,) = spec["spec"]["containers"]
    assert container["env"] == [
        {"name": "AWS_REGION", "value": "eu-1"},
        {"name": "MEANFACE_STORAGE", "value": "s3://results"},
        {"name": "MEANFACE_REDIS_URL", "valueFrom": {"secretKeyRef": {"name": "redis-address", "key": "url"}}},
    ]
    assert container["envFrom"] == [{"secretRef": {"name": "bucket-key"}}]


def test_private_addresses_are_passed_to_the_pod(ask):
    _, spec = ask(chosen=Settings(private_addresses="10.1.0.0/16"))
    (container,) = spec["spec"]["containers"]
    assert {"name": "MEANFACE_PRIVATE_ADDRESSES", "value": "10.1.0.0/16"} in container["env"]


def test_no_password_is_in_the_pod(spec):
    assert "redis://" not in json.dumps(spec)


def test_labels_and_name_contain_run_stage_and_partition(spec):
    labels = spec["metadata"]["labels"]
    assert labels["run_id"].startswith("manual__2026-11-24")
    assert labels["app.kubernetes.io/instance"] == "mine"
    assert labels["app.kubernetes.io/component"] == "embed"
    assert labels["meanface/partition"] == "7"
    assert labels["map_index"] == "7"
    assert re.fullmatch(r"meanface-embed-7-manual-2026-11-24t05-52-17-\w+-\w{8}", spec["metadata"]["name"])


@pytest.mark.parametrize(("stage", "partition"), [("plan", None), ("embed", 1023), ("reduce", None)])
def test_a_name_is_a_dns_label(ask, stage, partition):
    assert len(ask(stage, partition)[1]["metadata"]["name"]) <= 63


def test_where_and_how_it_runs(spec):
    pod_spec = spec["spec"]
    assert pod_spec["serviceAccountName"] == "stages"
    assert pod_spec["priorityClassName"] == "batch"
    assert pod_spec["nodeSelector"] == {"disk": "ssd"}
    assert pod_spec["tolerations"] == [{"key": "spot", "operator": "Exists"}]
    assert pod_spec["affinity"] == {"nodeAffinity": {}}
    assert pod_spec["imagePullSecrets"] == [{"name": "registry"}]
    (container,) = pod_spec["containers"]
    assert container["imagePullPolicy"] == "Always"
    assert container["resources"] == {"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}}


def test_its_rights_are_restricted(spec):
    assert spec["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = spec["spec"]["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp"}


def test_a_claim_is_mounted_where_the_storage_is(ask):
    _, spec = ask(chosen=Settings(storage="/storage", storage_claim="photos"))
    claims = [v for v in spec["spec"]["volumes"] if "persistentVolumeClaim" in v]
    assert claims == [{"name": "storage", "persistentVolumeClaim": {"claimName": "photos"}}]
    mounts = {m["mountPath"]: m["name"] for m in spec["spec"]["containers"][0]["volumeMounts"]}
    assert mounts["/storage"] == "storage"


def test_a_template_adds_to_the_pod(ask, tmp_path):
    template = tmp_path / "pod.yaml"
    template.write_text(
        """
        apiVersion: v1
        kind: Pod
        metadata: {annotations: {team: faces}}
        spec:
          hostAliases: [{ip: 10.0.0.1, hostnames: [photos.example]}]
          containers:
          - name: base
            image: other
            volumeMounts: [{name: photos, mountPath: /photos}]
          volumes: [{name: photos, nfs: {server: nfs.example, path: /photos}}]
        """
    )
    _, spec = ask(chosen=Settings(image="mine:1", pod_template=str(template)))
    (container,) = spec["spec"]["containers"]
    assert container["image"] == "mine:1"
    assert {m["mountPath"] for m in container["volumeMounts"]} == {"/photos", "/tmp"}
    assert spec["metadata"]["annotations"].items() >= {"team": "faces"}.items()
    assert spec["spec"]["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["photos.example"]}]


@pytest.mark.parametrize(
    ("stage", "partition", "logged"), [("plan", None, True), ("embed", 0, True), ("embed", 7, False)]
)
def test_only_the_first_partition_logs_why_its_pod_waits(ask, stage, partition, logged):
    assert ask(stage, partition)[0].log_events_on_startup is logged


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


def test_neither_task_nor_pod_runs_forever(operator, spec):
    """Nothing ends a pod on a lost node, and nothing watches a pod that Airflow has lost."""
    assert timedelta(days=1) < operator.execution_timeout < timedelta(days=30)
    assert spec["spec"]["activeDeadlineSeconds"] == operator.execution_timeout.total_seconds()


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


def test_a_run_without_an_image_of_its_own_has_that_of_the_version_before(ask):
    chosen = replace(SETTINGS, former_image="registry.example/meanface:0")
    for stage, planned, image in (
        ("embed", None, chosen.former_image),
        ("embed", "registry.example/meanface:planned", "registry.example/meanface:planned"),
        ("plan", None, chosen.image),
    ):
        assert ask(stage, chosen=chosen, planned=planned)[0].image == image


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
