"""HTTP connections that check the very address that they connect to.

Checking the URL would not be enough: a redirect leads elsewhere, 127.1 and 2130706433 are addresses
of this machine, and a name server may give another answer the second time.
"""

from __future__ import annotations

import math
import socket
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError

from meanface.dataset.http.deadline import TimedResponse, time_left
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import AddressRefused


def direct_pools(network_policy: NetworkPolicy) -> PoolManager:
    """Connection pools that raise `AddressRefused` if the policy does not allow an address."""
    return _checked(PoolManager(num_pools=64, maxsize=32), network_policy)


def proxy_pools(proxy: str, network_policy: NetworkPolicy) -> PoolManager:
    """Connection pools behind a proxy, which looks up names: only numeric hosts are checked."""

    class Proxied(ProxyManager):
        def connection_from_host(
            self,
            host: str | None,
            port: int | None = None,
            scheme: str | None = "http",
            pool_kwargs: dict[str, Any] | None = None,
        ) -> HTTPConnectionPool:
            for address in _numeric_addresses(host or ""):
                _check(network_policy, host or "", address, port or (443 if scheme == "https" else 80))
            return super().connection_from_host(host, port, scheme, pool_kwargs)

    return _checked(Proxied(proxy, maxsize=32), NetworkPolicy(everywhere=True))  # of the proxy itself


def _checked(manager: PoolManager, network_policy: NetworkPolicy) -> PoolManager:
    """Give pools connections that the policy checks, and whose responses have deadlines."""

    class Plain(HTTPConnection):
        response_class = TimedResponse

        def _new_conn(self) -> socket.socket:  # urllib3's own SOCKS client overrides the same method
            return _connect(self, network_policy)

    class Secure(Plain, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return manager


def _connect(connection: HTTPConnection, network_policy: NetworkPolicy) -> socket.socket:
    """Connect to the first address of the host that is allowed and answers."""
    host = connection.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except socket.gaierror as unknown:
        raise NameResolutionError(host, connection, unknown) from unknown
    except UnicodeError as wrong:
        raise LocationParseError(host) from wrong
    allowed = [one for one in found if not network_policy.refusal(host, str(one[4][0]), connection.port)]
    if not allowed:
        _check(network_policy, host, str(found[0][4][0]), connection.port)
    failure: OSError | None = None
    for family, kind, protocol, _, address in allowed:
        try:
            return _socket(connection, (family, kind, protocol), address)
        except OSError as failed:
            failure = failed
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, f"no connection to {host}") from failure
    raise NewConnectionError(connection, f"no connection to {host}: {failure}") from failure


def _socket(connection: HTTPConnection, kind: tuple[int, int, int], address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(*kind)
    try:
        for option in connection.socket_options or ():
            made.setsockopt(*option)
        limits = [limit for limit in (connection.timeout, time_left()) if isinstance(limit, int | float)]
        if (limit := min(limits)) < math.inf:
            made.settimeout(max(limit, 0.001))  # 0 would mean not to wait
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


def _numeric_addresses(host: str) -> list[str]:
    """The addresses of a host in any numeric spelling; none for a name, which is not looked up."""
    if host.lower().rstrip(".") == "localhost":
        return ["127.0.0.1"]
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(one[4][0]) for one in found]


def _check(network_policy: NetworkPolicy, host: str, address: str, port: int) -> None:
    if refusal := network_policy.refusal(host, address, port):
        raise AddressRefused(refusal)
