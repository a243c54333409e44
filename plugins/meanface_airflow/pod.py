"""A stage as a pod of the embedding image."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodNotFoundException
from airflow.sdk.exceptions import AirflowException, TaskDeferred
from kubernetes.client import ApiException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import NotFoundException

from meanface_airflow.arguments import StageArguments
from meanface_airflow.errors import RETRY_POLICY, StageFailed, StageRefused, fail_stage, fail_task
from meanface_airflow.lineage import StageLineage
from meanface_airflow.naming import run_name
from meanface_airflow.pod_end import GONE, LOST, terminated, why_ended
from meanface_airflow.pod_secret import create_secret, refer_to_secret, refers_to_secret
from meanface_airflow.pod_sweep import ANNOTATION, Owner
from meanface_airflow.pod_trigger import StagePodTrigger
from meanface_airflow.settings import Settings, settings
from meanface_airflow.storage_access import storage_environment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context, RetryPolicy
    from jinja2 import Environment
    from pendulum import DateTime

log = logging.getLogger(__name__)

DAY = 24 * 60 * 60
MAX_DURATION = timedelta(days=7)
"""of a task and of its pod"""
PLAIN = re.compile(r"[^{\n]*")
"""text without a Jinja template"""
USER = 10001
"""user and group of the embedding image; the files of the storage claim belong to this group"""

UNFINISHED = ("Pending", "Running", "Unknown")
"""phases of a pod that has not ended"""

REDIS_CA = "/etc/meanface-redis"
"""folder of the CA certificates for Redis, which the chart also mounts in Airflow's containers"""


IMAGE = "image"
"""XCom of `plan` with its image, which is that of all stages of the run"""


@dataclass(frozen=True)
class ImageOfRun:
    """The image of a stage after `plan`, as a template field, which Airflow calls with the task's context.

    It is the image of the run's plan, so that an upgrade does not change it for a run that has begun.
    Users who may edit XComs can write any image there. So it counts only if it is of the configured
    repository, or is the former image.
    """

    image: str
    former: str = ""
    """the image of a run that an earlier version has planned, which left no such XCom"""

    def __call__(self, context: Context, jinja_env: object = None) -> str:  # noqa: ARG002  Airflow's signature
        """The plan's image, or the configured one if there is none to trust."""
        planned = context["ti"].xcom_pull(task_ids="plan", key=IMAGE)
        if not planned:
            return self.former or self.image
        if planned == self.former or repository(str(planned)) == repository(self.image):
            return str(planned)
        log.warning(
            "the XCom %s of plan names %r, which is not of the repository %s: this stage uses %s",
            *(IMAGE, planned, repository(self.image), self.image),
        )
        return self.image


def repository(image: str) -> str:
    """An image without its tag and digest.

    >>> repository("registry.example:5000/meanface:2@sha256:0123")
    'registry.example:5000/meanface'
    """
    folder, slash, name = image.partition("@")[0].rpartition("/")
    return folder + slash + name.partition(":")[0]


def goes_on(ti: object) -> bool:
    """Whether a task goes on after its deferral, by what Airflow's server told its process; it has no public name."""
    return bool(getattr(getattr(ti, "_ti_context_from_server", None), "next_method", None))


def pod_settings(chosen: Settings) -> dict[str, Any]:
    """The arguments of `KubernetesPodOperator` that all stages share."""
    return {
        "image_pull_policy": chosen.image_pull_policy,
        "image_pull_secrets": [k8s.V1LocalObjectReference(name=name) for name in chosen.image_pull_secrets],
        "kubernetes_conn_id": chosen.kubernetes_connection,
        "in_cluster": chosen.in_cluster or None,  # tasks detect it by themselves, the triggerer does not
        "namespace": chosen.namespace,
        "service_account_name": chosen.service_account,
        "automount_service_account_token": False,
        "priority_class_name": chosen.priority_class,
        "container_resources": k8s.V1ResourceRequirements(**chosen.resources) if chosen.resources else None,
        "node_selector": chosen.node_selector,
        "tolerations": chosen.tolerations,
        "affinity": chosen.affinity,
        "pod_template_file": chosen.pod_template,
        "cmds": ["meanface"],
        "env_vars": chosen.shared_environment(),
        "deferrable": True,
        "poll_interval": chosen.poll_interval,
        "do_xcom_push": False,  # the result is in Redis; the XCom sidecar can lose its value
        "random_name_suffix": True,
        "on_finish_action": "delete_succeeded_pod",
        "schedule_timeout_seconds": DAY,  # a pod may wait for room on a full cluster
        "startup_timeout_seconds": 900,  # but not that long for its image
        "active_deadline_seconds": int(MAX_DURATION.total_seconds()),  # the pod of a lost task may run for ever
        "termination_message_policy": "FallbackToLogsOnError",  # the stage's last lines, for the task's error
        "log_pod_spec_on_failure": False,
        "log_events_on_failure": True,
        **_security(),
        **_volumes(chosen),
        "secrets": _secrets(chosen),
    }


def _security() -> dict[str, Any]:
    """Kubernetes' Pod Security level `restricted`, and a read-only root file system."""
    return {
        "security_context": k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=USER,
            run_as_group=USER,
            fs_group=USER,
            fs_group_change_policy="OnRootMismatch",
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        "container_security_context": k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
    }


def _volumes(chosen: Settings) -> dict[str, Any]:
    """Scratch space, the storage claim, and the CA certificates for Redis."""
    volumes = [k8s.V1Volume(name="scratch", empty_dir=k8s.V1EmptyDirVolumeSource())]
    mounts = [k8s.V1VolumeMount(name="scratch", mount_path="/tmp")]  # noqa: S108  the pod's own
    if chosen.storage_claim:
        claim = k8s.V1PersistentVolumeClaimVolumeSource(claim_name=chosen.storage_claim)
        volumes.append(k8s.V1Volume(name="storage", persistent_volume_claim=claim))
        mounts.append(k8s.V1VolumeMount(name="storage", mount_path=chosen.storage))
    if chosen.redis_ca_secret:
        secret = k8s.V1SecretVolumeSource(secret_name=chosen.redis_ca_secret)
        volumes.append(k8s.V1Volume(name="redis-ca", secret=secret))
        mounts.append(k8s.V1VolumeMount(name="redis-ca", mount_path=REDIS_CA, read_only=True))
    return {"volumes": volumes, "volume_mounts": mounts}


def _secrets(chosen: Settings) -> list[Secret]:
    """Credentials as references to Secrets: the pod's specification contains none."""
    secrets = [Secret("env", "MEANFACE_REDIS_URL", chosen.redis_secret, "url")]
    if chosen.storage_secret:
        secrets.append(Secret("env", None, chosen.storage_secret))
    return secrets


def pod_name(stage: str, partition: int | None, run: str) -> str:
    """Name of a stage's pod; with Airflow's random suffix it still fits a DNS label.

    >>> pod_name("embed", 7, "manual__2026-11-24T05:52:17.859827+00:00")
    'meanface-embed-7-manual-2026-11-24t05-52-17-859827'
    """
    parts = ["meanface", stage, *([] if partition is None else [str(partition)]), run.lower()]
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts))[:50].strip("-")


class PodStageOperator(StageLineage, KubernetesPodOperator):
    """Runs a stage in a pod, and frees its worker slot while the pod runs.

    Parameters
    ----------
    stage
        `plan`, `embed` or `reduce`
    partition
        index of the partition, for `embed`
    storage_connection
        Airflow connection with the bucket's credentials; by default that of the settings
    """

    def __init__(
        self,
        *,
        stage: str,
        partition: int | None = None,
        storage_connection: str | None = None,
        retry_policy: RetryPolicy | None = RETRY_POLICY,  # parameters: a mapped task takes the defaults from here
        execution_timeout: timedelta | None = MAX_DURATION,
        **kwargs: Any,
    ) -> None:
        chosen = settings()
        labels = {
            "app.kubernetes.io/name": "meanface",
            "app.kubernetes.io/instance": chosen.instance,
            "app.kubernetes.io/component": stage,
            "app.kubernetes.io/part-of": "meanface",
            "app.kubernetes.io/managed-by": "airflow",
        }
        if partition is not None:
            labels["meanface/partition"] = str(partition)
        image = chosen.image if stage == "plan" else ImageOfRun(chosen.image, chosen.former_image)
        own = pod_settings(chosen) | {"image": image, "name": f"meanface-{stage}", "labels": labels}
        # Whatever keeps one pod from starting (no room, no claim) keeps all: only the first logs it.
        own["log_events_on_startup"] = not partition
        defaults = kwargs.get("default_args") or {}
        given = {name: value for name, value in (defaults | kwargs).items() if name in own}
        if "labels" in given:  # ours find the pods of stages
            given["labels"] = (given["labels"] or {}) | labels
        super().__init__(
            **{"retry_policy": retry_policy, "execution_timeout": execution_timeout} | own | kwargs | given
        )
        self.stage = stage
        self.partition = partition
        self.storage_connection = storage_connection or chosen.storage_connection
        self.arguments: Any = StageArguments(stage, partition, chosen.workers)
        # Airflow checks and stores every template field of every task, also the empty ones.
        self.template_fields = tuple(name for name in self.template_fields if getattr(self, name))

    @cached_property
    def hook(self) -> KubernetesHook:
        """The provider's, which asks Airflow for a connection only if there is one."""
        return KubernetesHook(
            conn_id=self.kubernetes_conn_id,
            kubernetes_conn_id=self.kubernetes_conn_id,
            in_cluster=self.in_cluster,
            config_file=self.config_file,
            cluster_context=self.cluster_context,
        )

    def execute(self, context: Context) -> Any:
        """Start the pod; `plan` also tells the run's other stages its image."""
        if self.stage == "plan":
            context["ti"].xcom_push(IMAGE, self.image)
        return super().execute(context)

    def execute_async(self, context: Context) -> None:
        """Start the pod as the provider does, but without its XComs `pod_name` and `pod_namespace`.

        These take two requests to Airflow for each pod, and the task's log has both.
        """
        if self.callbacks:
            return super().execute_async(context)
        self.pod_request_obj = self.build_pod_request_obj(context)
        self.pod = self.get_or_create_pod(self.pod_request_obj, context)  # `on_kill` deletes it
        return self.invoke_defer_method(context=context)

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Environment,
        seen_oids: set[int],
    ) -> None:
        """Render the fields as the provider does.

        When the task goes on after its deferral, Airflow has them: its image is not looked up, and they are not sent, a
        second time.
        """
        again = parent is self and goes_on(context["ti"])
        fields = [name for name in template_fields if not (again and name == "image")]
        super()._do_render_template_fields(parent, fields, context, jinja_env, seen_oids)
        if again:
            self.template_fields = ()

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render as Airflow does, which compiles a template for each text, but not for plain text."""
        if isinstance(content, str) and PLAIN.fullmatch(content):
            return content
        return super().render_template(content, context, jinja_env, seen_oids)

    def build_pod_request_obj(self, context: Context | None = None, *, dry_run: bool = False) -> k8s.V1Pod:
        """The pod, named after stage, partition and run, with the task that it belongs to."""
        if context is not None:
            self.annotations = {**(self.annotations or {}), ANNOTATION: Owner.of(context["ti"]).text()}
            self.name = pod_name(self.stage, self.partition, run_name(context["ti"].dag_id, context["run_id"]))
        pod = super().build_pod_request_obj(context, dry_run=dry_run)
        if self.storage_connection:
            refer_to_secret(pod, self.base_container_name)
        return pod

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Context) -> k8s.V1Pod:
        """The pod, and the Secret with its bucket's credentials."""
        variables = storage_environment(self.storage_connection, context) if self.storage_connection else {}
        pod = self._find_or_create_pod(pod_request_obj, context)
        if refers_to_secret(pod):
            try:
                create_secret(self.client, pod, {name: value for name, value in variables.items() if value})
            except ApiException as refused:
                self.pod_manager.delete_pod(pod)
                advice = "allow Airflow's account to create Secrets, or use MEANFACE_STORAGE_SECRET"
                message = f"the Secret with the credentials of {self.storage_connection} cannot be created"
                kind = StageRefused if refused.status == HTTPStatus.FORBIDDEN else StageFailed
                fail_task(
                    kind(f"meanface {self.stage}: {message} ({refused.status} {refused.reason}): {advice}"), context
                )
        return pod

    def _find_or_create_pod(self, requested: k8s.V1Pod, context: Context) -> k8s.V1Pod:
        """The pod of before, which the provider finds by its labels, or a new one.

        Without the task's state store the provider does not also keep the pod's name there, which would take two
        requests to Airflow for each pod. And it writes the manifest of each new pod as YAML, even if nothing logs it.
        """
        without_store = context.copy()
        without_store.pop("task_state_store", None)
        if self.reattach_on_restart and self.find_pod(requested.metadata.namespace, context=context) is None:
            self.pod_manager.create_pod(requested)
            return requested
        return super().get_or_create_pod(requested, without_store)

    def invoke_defer_method(self, last_log_time: DateTime | None = None, context: Context | None = None) -> None:
        """Wait for the pod's end as the provider does, but not for ever if its node is lost."""
        try:
            super().invoke_defer_method(last_log_time, context)
        except TaskDeferred as deferred:
            deferred.trigger = StagePodTrigger.like(deferred.trigger, settings().lost_pod_seconds)
            raise

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on after the pod's end; a lost pod is removed by force, and the task fails so that it is retried."""
        message = str(event.get("message", ""))
        if message.startswith(LOST):  # no kubelet answers for its logs
            with suppress(NotFoundException):  # the node is back, or somebody was faster
                self.client.delete_namespaced_pod(event["name"], event["namespace"], grace_period_seconds=0)
            fail_task(StageFailed(f"meanface {self.stage}: {message}"), context)
        try:
            return super().trigger_reentry(context, event)
        except PodNotFoundException:
            fail_task(StageFailed(f"meanface {self.stage}: {GONE}"), context)

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """Delete the pod, or fail by its exit code, without a retry if that cannot help."""
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowException as failure:
            ended = terminated(remote_pod, self.base_container_name)
            if ended is not None:
                last = why_ended(remote_pod, ended) or str(failure)
                fail_stage(self.stage, ended.exit_code, last, context)
            self._fail_unfinished(remote_pod, str(failure), context)

    def _fail_unfinished(self, pod: k8s.V1Pod, failure: str, context: Context | None) -> NoReturn:
        """Delete a pod that has not ended, and fail with Kubernetes' last warning about it."""
        phase = pod.status.phase if pod.status else None
        if phase not in UNFINISHED:
            fail_task(StageFailed(f"meanface {self.stage}: {failure}"), context)
        warnings = [each for each in self.pod_manager.read_pod_events(pod).items if each.type == "Warning"]
        self.pod_manager.delete_pod(pod)
        reason = f"{warnings[-1].reason}: {warnings[-1].message}" if warnings else failure
        message = f"meanface {self.stage}: the pod was {phase} for too long and was deleted: {reason}"
        fail_task(StageFailed(message), context)
