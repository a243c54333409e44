"""The Airflow connection to Redis, as the URL that redis-py and the stages read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow.sdk import Connection
from airflow.sdk.log import mask_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTION_ID = "meanface_redis"
TLS_OPTIONS = ("ssl_ca_certs", "ssl_cert_reqs")


def redis_url() -> str:
    """Address of Redis with its password, masked in the task's log.

    Raises
    ------
    AirflowNotFoundException
        where there is no connection `meanface_redis`
    """
    connection = Connection.get(CONNECTION_ID)
    url = to_url(connection)
    if connection.password:
        mask_secret(connection.password)
        mask_secret(quote(connection.password, safe=""))
    return url


def to_url(connection: Connection) -> str:
    """URL of a connection.

    It has host, port, login, password, the database's number as schema, and in `extra` either `{"socket": "/path"}`
    or `{"ssl": true}`, the latter with redis-py's `ssl_ca_certs` and `ssl_cert_reqs` where they are needed. One that is
    itself given as a URL, `rediss://...?ssl_ca_certs=...`, comes back as that.
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
    return f"{scheme}://{user}{host}:{connection.port or 6379}/{quote(database, safe='')}{_tls(extra)}"


def _userinfo(connection: Connection) -> str:
    if not (connection.login or connection.password):
        return ""
    return f"{quote(connection.login or '', safe='')}:{quote(connection.password or '', safe='')}@"


def _tls(extra: Mapping[str, str]) -> str:
    given = {name: extra[name] for name in TLS_OPTIONS if name in extra}
    return f"?{urlencode(given)}" if given else ""
