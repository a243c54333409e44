"""A Redis with the exporter's user of the chart, and scrapes of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from redis import Redis

from meanface.metrics.collector import RunsCollector
from meanface.state.redis import RedisState
from prometheus_server import CHART

SECRET = "s3cret-of-the-exporter"
(RULES,) = re.findall(r"(?m)^user metrics on #.+\}\} (resetkeys .+)$", (CHART / "templates/_metrics.tpl").read_text())


@pytest.fixture
def redis_server(new_server: Callable[..., Any]) -> Any:
    """A server of its own, with the exporter's user and a limit of memory."""
    return new_server("--maxmemory", "1gb", "--user", "metrics", "on", f">{SECRET}", *RULES.split())


@pytest.fixture
def exporter_url(redis_server: Any) -> str:
    """Redis' URL of the exporter."""
    return f"redis://metrics:{SECRET}@127.0.0.1:{redis_server.port}"


@pytest.fixture
def new_state(redis_server: Any) -> Iterator[Callable[[str], RedisState]]:
    """States of runs."""
    opened: list[RedisState] = []

    def connect(run: str) -> RedisState:
        opened.append(RedisState.connect(redis_server.url, run, patience=5))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


@pytest.fixture
def scrape(exporter_url: str) -> Callable[..., dict[str, float]]:
    """One scrape of a new exporter, or of one that was given: metric with labels -> value."""

    def values(collector: RunsCollector | None = None) -> dict[str, float]:
        registry = CollectorRegistry()
        registry.register(collector or RunsCollector(Redis.from_url(exporter_url, protocol=2)))
        lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    return values


@pytest.fixture
def name() -> str:
    """Of a run."""
    return f"run-{uuid4().hex}"
