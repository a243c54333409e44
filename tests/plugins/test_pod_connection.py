"""A triggerer has one connection to its own cluster."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook

from meanface_airflow.pod_connection import SharedConnectionHook
from meanface_airflow.pod_trigger import StagePodTrigger


@pytest.fixture
def opened(monkeypatch):
    """Connections of the provider's hook, and whether each is open."""
    connections = {}

    @asynccontextmanager
    async def get_conn(_hook):
        connection = object()
        connections[connection] = True
        try:
            yield connection
        finally:
            connections[connection] = False

    monkeypatch.setattr(AsyncKubernetesHook, "get_conn", get_conn)
    return connections


async def connections_of(hooks):
    found = []
    for hook in hooks:
        async with hook.get_conn() as connection:
            found.append(connection)
    return found


def test_triggers_in_the_cluster_share_a_connection_until_the_triggerer_ends(opened):
    hooks = [SharedConnectionHook(conn_id=None, in_cluster=True) for _ in range(3)]

    async def twice():
        found = await connections_of(hooks) + await connections_of(hooks)
        assert opened[found[0]]
        return found

    assert len(set(asyncio.run(twice()))) == 1
    assert list(opened.values()) == [False]
    assert len(set(asyncio.run(twice()))) == 1  # another event loop cannot use the first one's
    assert list(opened.values()) == [False, False]


def test_a_connection_to_another_cluster_is_not_shared(opened):
    hooks = [SharedConnectionHook(conn_id=None, in_cluster=None) for _ in range(3)]
    assert len(set(asyncio.run(connections_of(hooks)))) == 3
    assert set(opened.values()) == {False}


def test_a_trigger_has_this_hook():
    arguments = {"pod_name": "embed", "pod_namespace": "faces", "trigger_start_time": None, "base_container_name": "b"}
    hook = StagePodTrigger(lost_pod_seconds=7, in_cluster=True, cluster_context="c", **arguments).hook
    assert (type(hook), hook.in_cluster, hook.cluster_context) == (SharedConnectionHook, True, "c")
