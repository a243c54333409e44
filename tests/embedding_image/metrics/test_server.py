"""The endpoint answers readers with the token, and nobody else; probes need none."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from meanface.errors import SettingsError
from meanface.metrics.server import serve


@contextmanager
def serving(url: str, token: str | None) -> Iterator[int]:
    with serve(url, "127.0.0.1", 0, token) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def get(port: int, path: str, authorization: str = "") -> tuple[int, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Authorization": authorization} if authorization else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_need_the_token_and_probes_do_not(exporter_url: str) -> None:
    with serving(exporter_url, "s3cret") as port:
        for wrong in ("", "Bearer", "Bearer s3cre", "Bearer s3crett", "Basic s3cret", "Bearer \xe9"):
            status, text = get(port, "/metrics", wrong)
            assert (status, "meanface_" in text) == (401, False)
        status, text = get(port, "/metrics", "Bearer s3cret")
        assert (status, "meanface_redis_up 1.0" in text) == (200, True)
        assert get(port, "/healthz")[0] == 200
        assert get(port, "/other")[0] == 404


def test_without_a_token_everybody_may_read(exporter_url: str) -> None:
    with serving(exporter_url, None) as port:
        assert get(port, "/metrics")[0] == 200


def test_an_invalid_redis_url_and_a_taken_port_are_refused(exporter_url: str) -> None:
    with pytest.raises(SettingsError, match="not a URL of Redis"):
        serve("http://redis", "127.0.0.1", 0, None)
    with serving(exporter_url, None) as port, pytest.raises(SettingsError, match="--port"):
        serve(exporter_url, "127.0.0.1", port, None)
