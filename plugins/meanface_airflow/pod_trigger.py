"""Watch a stage's pod until it ends, or until its node is lost.

A pod of a lost node is never seen to end: Kubernetes marks it for deletion, and it stays `Terminating`
until its node returns or somebody removes it. A second attempt beside the first one is harmless (see
*Commit protocol* in docs/architecture.md), so its task need not wait for that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException

if TYPE_CHECKING:
    from kubernetes_asyncio.client.models import V1Pod

LOST = "the pod is Terminating since"
"""in the message of the event, by which the operator knows that there are no logs to read"""


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
        return cls(lost_pod_seconds=lost_pod_seconds, **trigger.serialize()[1])

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, from which the triggerer makes it again."""
        own = {"lost_pod_seconds": self.lost_pod_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", super().serialize()[1] | own

    async def _get_pod(self) -> V1Pod:  # type: ignore[override]  # the provider's is decorated
        """The pod; if it is lost, the trigger fires with the status `timeout`."""
        pod = await super()._get_pod()
        if message := lost(pod, datetime.now(UTC), self.lost_pod_seconds):
            raise PodLaunchTimeoutException(message)
        return pod


def lost(pod: V1Pod, now: datetime, seconds: int) -> str:
    """Why a pod counts as lost; empty for one that does not."""
    due = pod.metadata.deletion_timestamp  # the end of its grace period
    if due is None or now < due + timedelta(seconds=seconds):
        return ""
    node = pod.spec.node_name or "no node"
    return (
        f"{LOST} {due.isoformat(timespec='seconds')}, so its node is probably lost ({node}). It is removed by force "
        "and the stage runs again; what it still does counts once at most"
    )
