"""HTTP connections that ask where they lead: what is checked is the address that is connected to.

A check of the URL would not do: a redirect leads elsewhere, 127.1 and 2130706433 are numbers of this machine, and a
name server may give another answer the second time.
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


class Plain(HTTPConnection):
    """A connection whose answers keep deadlines."""

    response_class = TimedResponse


class Secure(HTTPSConnection):
    """The same with TLS."""

    response_class = TimedResponse


def direct(network_policy: NetworkPolicy) -> PoolManager:
    """A client whose every connection is to an address within reach; its requests raise `AddressRefused`."""

    class CheckedPlain(Plain):
        def _new_conn(self) -> socket.socket:  # where urllib3's own SOCKS client, too, puts another way to connect
            return _connected(self, network_policy)

    class CheckedSecure(Secure):
        def _new_conn(self) -> socket.socket:
            return _connected(self, network_policy)

    return _connecting_by(CheckedPlain, CheckedSecure, PoolManager(num_pools=64, maxsize=32))


def proxied(proxy: str, network_policy: NetworkPolicy) -> PoolManager:
    """A client behind a proxy. It is the proxy that looks names up: only addresses in numbers are checked here."""

    class Proxied(ProxyManager):
        def connection_from_host(
            self,
            host: str | None,
            port: int | None = None,
            scheme: str | None = "http",
            pool_kwargs: dict[str, Any] | None = None,
        ) -> HTTPConnectionPool:
            for address in _in_numbers(host or ""):
                _check(network_policy, host or "", address, port or (443 if scheme == "https" else 80))
            return super().connection_from_host(host, port, scheme, pool_kwargs)

    return _connecting_by(Plain, Secure, Proxied(proxy, maxsize=32))


def _connecting_by(plain: type[Plain], secure: type[Secure], manager: PoolManager) -> PoolManager:
    class PlainPool(HTTPConnectionPool):
        ConnectionCls = plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return manager


def _connected(connection: HTTPConnection, network_policy: NetworkPolicy) -> socket.socket:
    """A socket to the first address of the host that is within reach and answers."""
    host = connection.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except socket.gaierror as unknown:
        raise NameResolutionError(host, connection, unknown) from unknown
    except UnicodeError as wrong:
        raise LocationParseError(host) from wrong
    within = [one for one in found if not network_policy.refusal(host, str(one[4][0]), connection.port)]
    if not within:
        _check(network_policy, host, str(found[0][4][0]), connection.port)
    failure: OSError | None = None
    for family, kind, protocol, _, address in within:
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
            made.settimeout(max(limit, 0.001))  # none at all would mean not to wait
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


def _in_numbers(host: str) -> list[str]:
    """The address that a host is written as, in whatever spelling; of a name none. Asks nobody."""
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
