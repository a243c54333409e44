"""Access to Redis for the page: one client, short timeouts, one round trip."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from airflow.sdk.exceptions import AirflowNotFoundException
from redis import BlockingConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.exceptions import TimeoutError as TooSlow
from redis.retry import Retry

from meanface_airflow.connection import CONNECTION_ID, redis_url

log = logging.getLogger(__name__)

TIMEOUT = 2.0
"""Seconds for one connection and for one reply."""
RETRY_PAUSE = 2.0
"""Seconds without another try after a failure, so that readers do not all wait for their own
timeout."""
CONNECTIONS = 8

Command = tuple[str | int, ...]


class RedisUnavailable(Exception):
    """Redis does not respond. The page displays the text, so it has no address or password."""


class Source(Protocol):
    """An executor of Redis commands."""

    def execute(self, *commands: Command) -> list[Any]:
        """Execute all commands in one round trip; their replies."""


class RedisSource:
    """Redis at a URL from a function, which is called again after every failure.

    Only commands that the stages' user may execute are needed: GET, HGETALL, HKEYS, HMGET.
    """

    def __init__(self, url: Callable[[], str] = redis_url) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._client: Redis | None = None
        self._outage: tuple[float, str] = (0.0, "")
        """until when no command is sent, and why"""

    def execute(self, *commands: Command) -> list[Any]:
        """Execute all commands in one round trip; their replies.

        Raises
        ------
        RedisUnavailable
            with the reason
        """
        until, reason = self._outage
        if time.monotonic() < until:
            raise RedisUnavailable(reason)
        try:
            with self._connected().pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types for it
                return pipeline.execute()
        except (RedisError, AirflowNotFoundException, ValueError) as failure:
            reason = _reason(failure)
            detail = failure if isinstance(failure, RedisError) else reason
            log.warning("the progress page cannot read Redis: %s", detail)
            self._disconnect(reason)
            raise RedisUnavailable(reason) from None

    def _connected(self) -> Redis:
        with self._lock:
            if self._client is None:
                pool = BlockingConnectionPool.from_url(
                    self._url(),
                    max_connections=CONNECTIONS,
                    timeout=TIMEOUT,
                    socket_timeout=TIMEOUT,
                    socket_connect_timeout=TIMEOUT,
                    health_check_interval=30,
                    client_name="airflow-page",
                    driver_info=None,
                    protocol=2,
                    retry=Retry(NoBackoff(), 1),
                )
                self._client = Redis(connection_pool=pool)
            return self._client

    def _disconnect(self, reason: str) -> None:
        with self._lock:
            client, self._client = self._client, None
            self._outage = (time.monotonic() + RETRY_PAUSE, reason)
        if client is not None:
            client.connection_pool.disconnect(inuse_connections=False)


def _reason(failure: Exception) -> str:
    if isinstance(failure, AirflowNotFoundException):
        return f"Airflow has no connection {CONNECTION_ID}: add it."
    if isinstance(failure, AuthenticationError):
        return f"Redis refused the user or password of Airflow's connection {CONNECTION_ID}."
    if isinstance(failure, NoPermissionError):
        return f"Redis does not permit the user of Airflow's connection {CONNECTION_ID} to read runs."
    if isinstance(failure, TooSlow):
        return f"Redis did not answer within {TIMEOUT:.0f} s."
    if isinstance(failure, RedisError):
        return "Redis cannot be reached."
    return f"Airflow's connection {CONNECTION_ID} is not a valid address of Redis."
