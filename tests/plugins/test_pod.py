"""The pod of a stage: what it runs, where, and with which rights."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from meanface_airflow.settings import Settings
from stage_pods import RUN, SETTINGS


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


def test_neither_task_nor_pod_runs_forever(operator, spec):
    """Nothing ends a pod on a lost node, and nothing watches a pod that Airflow has lost."""
    assert timedelta(days=1) < operator.execution_timeout < timedelta(days=30)
    assert spec["spec"]["activeDeadlineSeconds"] == operator.execution_timeout.total_seconds()


def test_a_run_without_an_image_of_its_own_has_that_of_the_version_before(ask):
    chosen = replace(SETTINGS, former_image="registry.example/meanface:0")
    for stage, planned, image in (
        ("embed", None, chosen.former_image),
        ("embed", "registry.example/meanface:planned", "registry.example/meanface:planned"),
        ("plan", None, chosen.image),
    ):
        assert ask(stage, chosen=chosen, planned=planned)[0].image == image
