"""Why a stage's pod ended, as far as Kubernetes knows, or that its node is lost."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from kubernetes.client import models as k8s

DISRUPTED = "DisruptionTarget"
"""condition of a pod that Kubernetes ends: preemption, eviction, a lost node (since Kubernetes 1.26)"""
BY_SIGNAL = 128
"""exit codes above it are this plus the number of the signal that killed the container"""
LOST = "the pod is Terminating since"
"""start of the message about a lost pod"""
NEXT = "the task is retried if it has retries left, and takes what this attempt has finished"

GONE = f"the pod was deleted before Airflow saw its end: its node was drained, or a person or program did it; {NEXT}"


def terminated(pod: k8s.V1Pod | None, container: str) -> k8s.V1ContainerStateTerminated | None:
    """How a pod's container ended; None if it has not, or if its status is unknown."""
    statuses = (pod.status.container_statuses if pod and pod.status else None) or ()
    return next((status.state.terminated for status in statuses if status.name == container and status.state), None)


def why_ended(pod: k8s.V1Pod, ended: k8s.V1ContainerStateTerminated) -> str:
    """What Kubernetes did to a container, or else the last line of its output."""
    killer = _signal(ended.exit_code)
    causes = list(_causes(pod, ended))
    lines = [line.strip() for line in (ended.message or "").splitlines() if line.strip()]
    if not killer:
        return ": ".join(causes or lines[-1:])
    if not causes:
        causes = ["Kubernetes names no cause: its node ran out of memory, or a person or program killed it"]
    return f"killed by {killer}: {': '.join(causes)}; {NEXT}"


def lost(pod: k8s.V1Pod, now: datetime, seconds: int) -> str:
    """Why a pod counts as lost; empty for one that does not."""
    due = pod.metadata.deletion_timestamp  # the end of its grace period
    if due is None or now < due + timedelta(seconds=seconds):
        return ""
    node = pod.spec.node_name or "no node"
    return (
        f"{LOST} {due.isoformat(timespec='seconds')}, so its node is probably lost ({node}). It is removed by force "
        "and the stage runs again; what it still does counts once at most"
    )


def _causes(pod: k8s.V1Pod, ended: k8s.V1ContainerStateTerminated) -> list[str]:
    conditions = (pod.status.conditions if pod.status else None) or ()
    disrupted = next((one for one in conditions if one.type == DISRUPTED and one.status == "True"), None)
    found = [pod.status.reason, pod.status.message] if pod.status else []  # of the whole pod: Evicted, and why
    if disrupted is not None:
        found += [disrupted.reason, disrupted.message]
    if ended.reason == "OOMKilled":
        found.append(
            "OOMKilled: it took more memory than its limit; raise the limit (MEANFACE_RESOURCES), "
            "or lower MEANFACE_WORKERS"
        )
    if not any(found) and pod.metadata and pod.metadata.deletion_timestamp:
        found.append("the pod was deleted")
    return list(dict.fromkeys(text.strip() for text in found if text and text.strip()))


def _signal(code: int | None) -> str:
    """Name of the signal that an exit code stands for; empty for another exit code."""
    try:
        return signal.Signals((code or 0) - BY_SIGNAL).name
    except ValueError:
        return ""
