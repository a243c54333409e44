"""The exporter's HTTP endpoint: `/metrics`, with a bearer token if there is one, and `/healthz`."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from meanface.errors import SettingsError
from meanface.metrics.collector import RunsCollector
from meanface.state.url import RedisUrl

TIMEOUT = 5.0
"""Seconds for a reply of Redis; Prometheus waits 10 s for a scrape."""

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class' name
        """Log no requests."""


def serve(redis_url: str, address: str, port: int, token: str | None) -> WSGIServer:
    """A server that listens; `serve_forever` answers requests.

    Raises
    ------
    SettingsError
        if the URL is invalid, or the address cannot be listened on
    """
    registry = CollectorRegistry()
    registry.register(RunsCollector(_client(redis_url)))
    try:
        return make_server(address, port, application(registry, token), ThreadingWSGIServer, handler_class=_Quiet)
    except OSError as error:
        raise SettingsError(f"cannot listen on {address}:{port}: {error}; choose another --address or --port") from None


def application(registry: CollectorRegistry, token: str | None) -> App:
    """The WSGI application."""
    metrics: App = make_wsgi_app(registry)
    wanted = f"Bearer {token}".encode()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            given = str(environ.get("HTTP_AUTHORIZATION", "")).encode(errors="replace")
            if token is None or hmac.compare_digest(given, wanted):
                return metrics(environ, start_response)
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
            return [b"a bearer token is required\n"]
        found = path == "/healthz"
        start_response("200 OK" if found else "404 Not Found", [("Content-Type", "text/plain")])
        return [b"ok\n" if found else b"not found\n"]

    return answer


def _client(url: str) -> Redis:
    """A client that tries once: the next scrape tries again."""
    options = RedisUrl.parse(url).options
    return Redis(
        connection_pool=ConnectionPool(
            **options,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            client_name="meanface-metrics",
            driver_info=None,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
    )
