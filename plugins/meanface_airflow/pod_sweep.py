"""Remove pods of stages whose task has ended: it was marked, or its run was deleted.

Airflow tells a trigger of that, which then deletes its pod. It tells nobody while no trigger
watches the pod: between the pod's creation and the trigger's start, and while the triggerer
restarts. So every triggerer that watches stages also looks for such pods.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextvars import Context
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from asgiref.sync import sync_to_async
from kubernetes_asyncio.client import CoreV1Api

from meanface_airflow.pod_end import lost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook
    from kubernetes_asyncio.client.models import V1Pod

INTERVAL = 30.0
"""seconds between two sweeps"""
FAILED_TOO = 20
"""one of so many sweeps also asks about failed pods, which stay as long as their run"""
ANNOTATION = "meanface/task"
"""of a pod: the task that it belongs to"""
STAGES = "app.kubernetes.io/name=meanface,app.kubernetes.io/managed-by=airflow"
"""selector of the pods of stages"""
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
"""states of a task that will not wait for a pod any more"""

log = logging.getLogger(__name__)


class Owner(NamedTuple):
    """The task of a pod. No two Airflows have a version of a DAG in common."""

    dag_version: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @classmethod
    def of(cls, task_instance: Any) -> Owner:
        """The owner that a pod of a task instance gets."""
        ti = task_instance
        return cls(str(ti.dag_version_id), ti.dag_id, ti.run_id, ti.task_id, ti.map_index)

    @classmethod
    def read(cls, pod: V1Pod) -> Owner | None:
        """The owner in a pod's annotation; None for a pod without one that this version wrote."""
        try:
            return cls(**json.loads((pod.metadata.annotations or {})[ANNOTATION]))
        except (KeyError, TypeError, ValueError):
            return None

    def text(self) -> str:
        """The annotation."""
        return json.dumps(self._asdict())

    @property
    def key(self) -> str:
        """How Airflow names the task among the states of its run."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}_{self.map_index}"


def is_left(pod: V1Pod, owner: Owner, states: dict[str, dict[str, str | None]]) -> bool:
    """Whether a pod's task has ended or is gone; failed pods stay until their run is deleted.

    Parameters
    ----------
    states
        of all owners' tasks, by run and `Owner.key`
    """
    run = states.get(owner.run_id, {})
    if owner.key not in run:
        return True
    return run[owner.key] in ENDED and pod.status.phase != "Failed"


def grace(pod: V1Pod, now: datetime, lost_seconds: int) -> dict[str, int] | None:
    """How to delete a pod: kindly, or by force if its node is lost; None if it is being deleted."""
    if pod.metadata.deletion_timestamp is None:
        return {}
    return {"grace_period_seconds": 0} if lost(pod, now, lost_seconds) else None


async def sweep(
    hook: AsyncKubernetesHook, namespace: str, dag_versions: Iterable[str], lost_seconds: int, *, failed_too: bool
) -> list[str]:
    """Delete the pods that are left of these DAG versions' tasks; their names.

    Airflow answers with the states of all tasks of a run, so it is not asked about failed pods each time.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # not in every parse of a DAG

    async with hook.get_conn() as connection:
        pods = (await CoreV1Api(connection).list_namespaced_pod(namespace, label_selector=STAGES)).items
    asked = [pod for pod in pods if failed_too or pod.status.phase != "Failed"]
    found = [(pod, owner) for pod in asked if (owner := Owner.read(pod)) and owner.dag_version in dag_versions]
    deleted = []
    for dag_id in {owner.dag_id for _, owner in found}:
        of_dag = [(pod, owner) for pod, owner in found if owner.dag_id == dag_id]
        states = await sync_to_async(RuntimeTaskInstance.get_task_states)(
            dag_id=dag_id,
            task_ids=sorted({owner.task_id for _, owner in of_dag}),
            run_ids=sorted({owner.run_id for _, owner in of_dag}),
        )
        for pod, owner in of_dag:
            how = grace(pod, datetime.now(UTC), lost_seconds)
            if how is not None and is_left(pod, owner, states):
                await hook.delete_pod(pod.metadata.name, namespace, **how)
                deleted.append(pod.metadata.name)
    return deleted


class Sweeper:
    """Sweeps in the background of a triggerer, where its triggers have pods."""

    def __init__(self) -> None:
        self._dag_versions: set[str] = set()
        self._places: dict[str, AsyncKubernetesHook] = {}
        self._task: asyncio.Task[None] | None = None

    def join(self, hook: AsyncKubernetesHook, namespace: str, task_instance: Any, lost_seconds: int) -> None:
        """Sweep a namespace from now on, for the tasks of this DAG version."""
        self._dag_versions.add(str(task_instance.dag_version_id))
        self._places[namespace] = hook
        if self._task is None or self._task.done():
            # Without the trigger's context, whose log is the task's.
            self._task = asyncio.create_task(self._run(lost_seconds), context=Context())

    async def _run(self, lost_seconds: int) -> None:
        for number in count():
            await asyncio.sleep(INTERVAL)
            for namespace, hook in list(self._places.items()):
                try:
                    deleted = await sweep(
                        hook, namespace, self._dag_versions, lost_seconds, failed_too=number % FAILED_TOO == 0
                    )
                except Exception as failure:
                    log.warning("cannot look for pods of ended tasks in namespace %s: %s", namespace, failure)
                else:
                    if deleted:
                        log.info("deleted pods whose task has ended: %s", ", ".join(deleted))


SWEEPER = Sweeper()
"""of this process"""
