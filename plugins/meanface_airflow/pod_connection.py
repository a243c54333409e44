"""One connection of a triggerer to the cluster that it runs in, for all its pods."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kubernetes_asyncio.client import ApiClient

_CONNECTIONS: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[ApiClient, AsyncExitStack]] = WeakKeyDictionary()
"""of each event loop: its connection, and what closes it when the loop ends"""


class SharedConnectionHook(AsyncKubernetesHook):
    """The provider's hook, which by itself makes a connection for each request: its TLS costs more than the request.

    A connection to another cluster is not shared: its credentials may expire. Those of a pod are
    read again every minute.
    """

    @asynccontextmanager
    async def get_conn(self) -> AsyncIterator[ApiClient]:
        """The connection, to use in `async with`."""
        if not self.in_cluster:
            async with super().get_conn() as own:
                yield own
            return
        loop = asyncio.get_running_loop()
        if loop not in _CONNECTIONS:
            stack = AsyncExitStack()
            _CONNECTIONS[loop] = await stack.enter_async_context(super().get_conn()), stack
        yield _CONNECTIONS[loop][0]
