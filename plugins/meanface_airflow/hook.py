"""The hook of Airflow's connection to Redis, for the connection form and its test."""

from __future__ import annotations

from airflow.sdk import BaseHook
from redis import Redis, RedisError

from meanface_airflow.connection import CONNECTION_ID, CONNECTION_TYPE, to_url


class MeanfaceRedisHook(BaseHook):
    """The Redis with the runs' records; tasks need no hook, as stages take the URL."""

    conn_name_attr = "redis_conn_id"
    default_conn_name = CONNECTION_ID
    conn_type = CONNECTION_TYPE
    hook_name = "Redis of meanface"

    def __init__(self, redis_conn_id: str = CONNECTION_ID) -> None:
        super().__init__()
        self.redis_conn_id = redis_conn_id

    def get_conn(self) -> Redis:
        """A client; it connects with its first command."""
        url = to_url(self.get_connection(self.redis_conn_id))
        return Redis.from_url(url, socket_timeout=10, socket_connect_timeout=10, client_name="airflow")

    def test_connection(self) -> tuple[bool, str]:
        """Ask Redis for its version."""
        try:
            return True, f"Redis {self.get_conn().info('server')['redis_version']}"
        except (RedisError, ValueError) as failure:
            return False, str(failure)
