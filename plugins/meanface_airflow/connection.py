"""The Airflow connection to Redis, as the URL that redis-py and the stages read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow.sdk import Connection
from airflow.sdk.log import mask_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTION_ID = "meanface_redis"
CONNECTION_TYPE = "meanface_redis"
"""in the form of an Airflow with the package `meanface-airflow`; a connection of any other type works, too"""
TLS_OPTIONS = ("ssl_ca_certs", "ssl_cert_reqs")


def redis_url() -> str:
    """URL of Redis with its password, which is masked in the task's log.

    Raises
    ------
    AirflowNotFoundException
        if there is no connection `meanface_redis`
    """
    connection = Connection.get(CONNECTION_ID)
    url = to_url(connection)
    if connection.password:
        mask_secret(connection.password)
        mask_secret(quote(connection.password, safe=""))
    return url


def to_url(connection: Connection) -> str:
    """Convert a connection to a URL.

    A connection has a host, port, login, password, and the database's number as its schema. Its
    `extra` may have `{"socket": "/path"}`, or `{"ssl": true}` with redis-py's `ssl_ca_certs` and
    `ssl_cert_reqs`. A connection that was given as a URL, `rediss://...?ssl_ca_certs=...`, is
    converted back to the same URL.
    """
    extra = connection.extra_dejson
    user = _userinfo(connection)
    database = connection.schema or "0"
    if socket := extra.get("socket"):
        return f"unix://{user}{quote(socket)}?db={quote(database, safe='')}"
    host = connection.host or "localhost"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    scheme = "rediss" if extra.get("ssl") or connection.conn_type == "rediss" else "redis"
    return f"{scheme}://{user}{host}:{connection.port or 6379}/{quote(database, safe='')}{_tls_query(extra)}"


def _userinfo(connection: Connection) -> str:
    if not (connection.login or connection.password):
        return ""
    return f"{quote(connection.login or '', safe='')}:{quote(connection.password or '', safe='')}@"


def _tls_query(extra: Mapping[str, str]) -> str:
    options = {name: extra[name] for name in TLS_OPTIONS if name in extra}
    return f"?{urlencode(options)}" if options else ""
