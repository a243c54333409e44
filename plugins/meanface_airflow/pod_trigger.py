"""Watch a stage's pod until it ends, or until its node is lost.

A pod of a lost node is never seen to end: Kubernetes marks it for deletion, and it stays `Terminating`
until its node returns or somebody removes it. A second attempt beside the first one is harmless (see
*Commit protocol* in docs/architecture.md), so its task need not wait for that.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager, PodLaunchTimeoutException

from meanface_airflow.pod_connection import SharedConnectionHook
from meanface_airflow.pod_end import lost
from meanface_airflow.pod_sweep import SWEEPER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook
    from airflow.triggers.base import TriggerEvent
    from kubernetes_asyncio.client.models import V1Pod


class StagePodTrigger(KubernetesPodTrigger):
    """The provider's trigger, which also fires when a pod does not end although it should have.

    Parameters
    ----------
    lost_pod_seconds
        seconds after the end of a pod's grace period
    """

    def __init__(self, *, lost_pod_seconds: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lost_pod_seconds = lost_pod_seconds

    @classmethod
    def like(cls, trigger: KubernetesPodTrigger, lost_pod_seconds: int) -> StagePodTrigger:
        """Make the trigger that watches the same pod."""
        arguments = trigger.serialize()[1]
        if not arguments["kubernetes_conn_id"]:
            arguments["connection_extras"] = {}  # otherwise the triggerer asks Airflow for a connection
        return cls(lost_pod_seconds=lost_pod_seconds, **arguments)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, from which the triggerer makes it again."""
        own = {"lost_pod_seconds": self.lost_pod_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", super().serialize()[1] | own

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the pod; meanwhile and afterwards, this process looks for pods that nobody watches."""
        if self.task_instance is not None:
            SWEEPER.join(self.hook, self.pod_namespace, self.task_instance, self.lost_pod_seconds)
        async for event in super().run():
            yield event

    @cached_property
    def hook(self) -> SharedConnectionHook:
        """The provider's, with one connection for all triggers of this process."""
        return SharedConnectionHook(
            conn_id=self.kubernetes_conn_id,
            in_cluster=self.in_cluster,
            config_dict=self.config_dict,
            cluster_context=self.cluster_context,
            connection_extras=self.connection_extras,
        )

    @cached_property
    def pod_manager(self) -> AsyncPodManager:
        """Reads the pod until its container starts."""
        return _StartingPod(self.hook, self.lost_pod_seconds)

    async def _get_pod(self) -> V1Pod:  # type: ignore[override]  # the provider's is decorated
        """The pod, once its container has started; if it is lost, the trigger fires with the status `timeout`."""
        return _not_lost(await super()._get_pod(), self.lost_pod_seconds)


class _StartingPod(AsyncPodManager):
    """Also a pod that waits for its image, or for a volume, may be on a node that is lost."""

    def __init__(self, hook: AsyncKubernetesHook, lost_pod_seconds: int) -> None:
        super().__init__(async_hook=hook)
        self._lost_pod_seconds = lost_pod_seconds

    async def read_pod(self, pod: V1Pod) -> V1Pod:
        return _not_lost(await super().read_pod(pod), self._lost_pod_seconds)


def _not_lost(pod: V1Pod, seconds: int) -> V1Pod:
    """The pod; for a lost one the exception by which a trigger fires with the status `timeout`."""
    if message := lost(pod, datetime.now(UTC), seconds):
        raise PodLaunchTimeoutException(message)
    return pod
