"""The Secret with a pod's credentials: of the same name, made after the pod, and removed with it.

The pod waits for it. Made before the pod, it would stay for ever if the task died in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from kubernetes.client import ApiException, CoreV1Api
from kubernetes.client import models as k8s


def refer_to_secret(pod: k8s.V1Pod, container: str) -> None:
    """Have a container of a pod read its environment variables from the pod's Secret."""
    (found,) = (each for each in pod.spec.containers if each.name == container)
    reference = k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=pod.metadata.name))
    found.env_from = [*(found.env_from or []), reference]


def refers_to_secret(pod: k8s.V1Pod) -> bool:
    """Whether a container of a pod reads the pod's Secret."""
    sources = [source for each in pod.spec.containers for source in each.env_from or []]
    return any(source.secret_ref and source.secret_ref.name == pod.metadata.name for source in sources)


def create_secret(client: CoreV1Api, pod: k8s.V1Pod, variables: Mapping[str, str]) -> None:
    """Create the Secret of a pod, unless it has one.

    Raises
    ------
    ApiException
        if Kubernetes refuses it
    """
    name, namespace = pod.metadata.name, pod.metadata.namespace
    if pod.metadata.uid is None:  # what was sent to Kubernetes, not what it answered
        pod = client.read_namespaced_pod(name, namespace)
    owner = k8s.V1OwnerReference(api_version="v1", kind="Pod", name=name, uid=pod.metadata.uid)
    labels = {
        name: value for name, value in (pod.metadata.labels or {}).items() if name.startswith("app.kubernetes.io/")
    }
    secret = k8s.V1Secret(
        metadata=k8s.V1ObjectMeta(name=name, labels=labels, owner_references=[owner]),
        immutable=True,
        string_data=dict(variables),
    )
    try:
        client.create_namespaced_secret(namespace, secret)
    except ApiException as refused:
        if refused.status != HTTPStatus.CONFLICT:  # an earlier process of this task has made it
            raise
