"""A stage as a pod of the embedding image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from airflow.sdk.exceptions import AirflowException

from meanface_airflow.arguments import StageArguments
from meanface_airflow.exits import fail
from meanface_airflow.settings import Settings, settings

if TYPE_CHECKING:
    from kubernetes.client import models as k8s

DAY = 24 * 60 * 60


def pod_settings(chosen: Settings) -> dict[str, Any]:
    """How every stage's pod is run."""
    secrets = [Secret("env", "MEANFACE_REDIS_URL", chosen.redis_secret, "url")]
    if chosen.storage_secret:
        secrets.append(Secret("env", None, chosen.storage_secret))
    return {
        "image": chosen.image,
        "namespace": chosen.namespace,
        "pod_template_file": chosen.pod_template,
        "cmds": ["meanface"],
        "env_vars": {"MEANFACE_STORAGE": chosen.storage} if chosen.storage else {},
        "secrets": secrets,  # by reference: the pod's specification holds no password
        "automount_service_account_token": False,
        "deferrable": True,
        "do_xcom_push": False,  # Redis is the truth; the sidecar can lose its value
        "random_name_suffix": True,
        "on_finish_action": "delete_succeeded_pod",
        "schedule_timeout_seconds": DAY,  # a pod may queue on a full cluster as long as it takes
        "startup_timeout_seconds": 900,  # but not pull its image that long
        "termination_message_policy": "FallbackToLogsOnError",  # the stage's last words, for the task's error
        "log_pod_spec_on_failure": False,
        "log_events_on_startup": False,  # a line a second for each of a thousand pods
        "log_events_on_failure": True,
    }


class PodStageOperator(KubernetesPodOperator):
    """Runs a stage in a pod, and gives its slot back while the pod runs.

    Parameters
    ----------
    stage
        `plan`, `embed` or `reduce`
    partition
        index of the partition, for `embed`
    """

    def __init__(self, *, stage: str, partition: int | None = None, **kwargs: Any) -> None:
        chosen = settings()
        labels = {"app.kubernetes.io/name": "meanface", "app.kubernetes.io/component": stage}
        if partition is not None:
            labels["meanface/partition"] = str(partition)
        super().__init__(
            **pod_settings(chosen)
            | {"name": f"meanface-{stage}", "labels": labels}  # Airflow adds the run, task and try
            | kwargs
        )
        self.stage = stage
        self.partition = partition
        self.arguments: Any = StageArguments(stage, partition, chosen.workers)

    def cleanup(self, pod: k8s.V1Pod, remote_pod: k8s.V1Pod, *args: Any, **kwargs: Any) -> None:
        """Delete the pod, or fail as its exit code says: where a retry cannot help, without one."""
        try:
            super().cleanup(pod, remote_pod, *args, **kwargs)
        except AirflowException as failure:
            ended = terminated(remote_pod, self.base_container_name)
            if ended is None:
                raise
            fail(self.stage, ended.exit_code, (ended.message or str(failure)).strip())


def terminated(pod: k8s.V1Pod | None, container: str) -> k8s.V1ContainerStateTerminated | None:
    """How a pod's container ended; None while it has not, or where nobody knows."""
    statuses = (pod.status.container_statuses if pod and pod.status else None) or ()
    return next((status.state.terminated for status in statuses if status.name == container and status.state), None)
