"""Redis as the page asks it: a few commands at once, briefly, with one client for the whole process."""

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
PAUSE = 2.0
"""Seconds without another try after a failure: readers wait for an outage together, not one after the other."""
CONNECTIONS = 8

Command = tuple[str | int, ...]


class Away(Exception):
    """Redis cannot be asked now; the text is for the page's readers and names no address."""


class Source(Protocol):
    """Something that answers Redis's commands."""

    def ask(self, *commands: Command) -> list[Any]:
        """The replies to all commands, of one round trip."""


class RedisSource:
    """Redis at the address that a function tells, which is asked again after every failure.

    Only commands that the stages' user may give are needed: GET, HGETALL, HKEYS, HMGET.
    """

    def __init__(self, address: Callable[[], str] = redis_url) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._client: Redis | None = None
        self._away: tuple[float, str] = (0.0, "")

    def ask(self, *commands: Command) -> list[Any]:
        """The replies to all commands, of one round trip.

        Raises
        ------
        Away
            saying why
        """
        until, reason = self._away
        if time.monotonic() < until:
            raise Away(reason)
        try:
            with self._connected().pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                return pipeline.execute()
        except (RedisError, AirflowNotFoundException, ValueError) as failure:
            told = _reason(failure)
            log.warning("the progress page cannot read Redis: %s", failure if isinstance(failure, RedisError) else told)
            self._forget(told)
            raise Away(told) from None

    def _connected(self) -> Redis:
        with self._lock:
            if self._client is None:
                pool = BlockingConnectionPool.from_url(
                    self._address(),
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

    def _forget(self, reason: str) -> None:
        with self._lock:
            client, self._client = self._client, None
            self._away = (time.monotonic() + PAUSE, reason)
        if client is not None:
            client.connection_pool.disconnect(inuse_connections=False)


def _reason(failure: Exception) -> str:
    if isinstance(failure, AirflowNotFoundException):
        return f"Airflow has no connection {CONNECTION_ID}."
    if isinstance(failure, AuthenticationError):
        return f"Redis refused the user or password of Airflow's connection {CONNECTION_ID}."
    if isinstance(failure, NoPermissionError):
        return f"Redis does not let the user of Airflow's connection {CONNECTION_ID} read runs."
    if isinstance(failure, TooSlow):
        return f"Redis did not answer within {TIMEOUT:.0f} s."
    if isinstance(failure, RedisError):
        return "Redis cannot be reached."
    return f"Airflow's connection {CONNECTION_ID} is no address of Redis."
