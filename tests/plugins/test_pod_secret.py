"""The Secret that a pod's credentials are in."""

import json
from types import SimpleNamespace
from uuid import UUID

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import ApiClient, ApiException
from kubernetes.client import models as k8s

from meanface_airflow import pod
from meanface_airflow.errors import StageFailed, StageRefused
from meanface_airflow.pod import PodStageOperator
from meanface_airflow.settings import Settings

PASSWORD = "s3cret/+word"
RUN = "manual__2026-11-24T05:52:17.859827+00:00"


class Cluster:
    """What Kubernetes was asked for: Secrets by name, and deleted pods."""

    def __init__(self):
        self.secrets, self.deleted, self.refusal = {}, [], None

    def read_namespaced_pod(self, name, namespace):
        return k8s.V1Pod(metadata=k8s.V1ObjectMeta(name=name, namespace=namespace, uid="uid-1", labels={}))

    def create_namespaced_secret(self, namespace, secret):
        if self.refusal:
            raise ApiException(status=self.refusal, reason="Refused")
        self.secrets[namespace, secret.metadata.name] = ApiClient().sanitize_for_serialization(secret)

    def create_pod(self, requested):
        return requested

    def delete_pod(self, deleted):
        self.deleted.append(deleted.metadata.name)


@pytest.fixture
def cluster(monkeypatch):
    made = Cluster()
    monkeypatch.setattr(KubernetesPodOperator, "client", made)
    monkeypatch.setattr(KubernetesPodOperator, "pod_manager", made)
    monkeypatch.setattr(KubernetesPodOperator, "find_pod", lambda *_, **__: None)
    bucket = {"conn_type": "aws", "login": "key", "password": PASSWORD}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(bucket))
    return made


@pytest.fixture
def ask(monkeypatch, cluster):
    """An operator and its pod."""

    def of(chosen, **options):
        monkeypatch.setattr(pod, "settings", lambda: chosen)
        operator = PodStageOperator(task_id="reduce", stage="reduce", **options)
        task_instance = SimpleNamespace(
            dag_id="meanface", run_id=RUN, task_id="reduce", map_index=-1, try_number=1, dag_version_id=UUID(int=1)
        )
        task_instance.xcom_push, task_instance.xcom_pull = lambda *_: None, lambda **_: None
        context = {"ti": task_instance, "run_id": RUN, "dag": None}
        operator.render_template_fields(context)
        return operator, operator.build_pod_request_obj(context, dry_run=True), context

    return of


CHOSEN = Settings(namespace="faces", storage="s3://results", storage_connection="bucket")


def test_the_pod_reads_a_secret_of_its_name_that_it_owns(ask, cluster):
    operator, requested, context = ask(CHOSEN)
    name = operator.get_or_create_pod(requested, context).metadata.name
    assert requested.spec.containers[0].env_from == [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=name))]
    secret = cluster.secrets["faces", name]
    assert secret["stringData"] == {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": PASSWORD}
    assert secret["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": "uid-1"}]
    assert secret["immutable"] is True


def test_the_password_is_in_nothing_that_airflow_shows(ask):
    operator, requested, context = ask(CHOSEN)
    operator.get_or_create_pod(requested, context)
    assert PASSWORD not in str(requested.to_dict())
    assert PASSWORD not in str([getattr(operator, field) for field in operator.template_fields])


def test_without_a_connection_there_is_no_secret(ask, cluster):
    operator, requested, context = ask(Settings(namespace="faces"))
    operator.get_or_create_pod(requested, context)
    assert not cluster.secrets
    assert not requested.spec.containers[0].env_from


def test_a_dag_may_have_a_connection_of_its_own(ask, cluster, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_FAMILY", json.dumps({"conn_type": "wasb", "login": "acme", "password": "k"}))
    operator, requested, context = ask(CHOSEN, storage_connection="family")
    operator.get_or_create_pod(requested, context)
    (secret,) = cluster.secrets.values()
    assert secret["stringData"] == {"AZURE_STORAGE_ACCOUNT_NAME": "acme", "AZURE_STORAGE_ACCOUNT_KEY": "k"}


def test_a_pod_that_has_its_secret_is_taken_as_it_is(ask, cluster):
    """An earlier process of the task has created both."""
    operator, requested, context = ask(CHOSEN)
    cluster.refusal = 409
    assert operator.get_or_create_pod(requested, context) is requested
    assert not cluster.deleted


@pytest.mark.parametrize(("status", "kind"), [(403, StageRefused), (500, StageFailed)])
def test_a_pod_that_cannot_have_its_secret_is_deleted(ask, cluster, status, kind):
    operator, requested, context = ask(CHOSEN)
    cluster.refusal = status
    with pytest.raises(
        StageFailed, match=rf"credentials of bucket cannot be created \({status} Refused\): allow"
    ) as failure:
        operator.get_or_create_pod(requested, context)
    assert type(failure.value) is kind
    assert cluster.deleted == [requested.metadata.name]
