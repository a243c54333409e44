"""Debian's real Prometheus for tests: a server that scrapes every second, and `promtool`."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from polling import until

CHART = Path(__file__).parents[1] / "charts/meanface"
ALERTS = CHART / "files/alerts.yaml"
DASHBOARD = CHART / "files/dashboard.json"


def program(name: str) -> str:
    """Path of a program of Debian's package `prometheus`; skips the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus)")
    return found


def promtool(*words: str | Path) -> str:
    """Run promtool; its output. An error has it, too."""
    done = subprocess.run([program("promtool"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dashboard_queries() -> list[str]:
    """All queries of the dashboard, as Grafana sends them for the last minute."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [
        target["expr"].replace("$__rate_interval", "1m").replace("$__range", "1m")
        for panel in panels
        for target in panel["targets"]
    ]


class Prometheus:
    """A server that is scraping."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str, **query: str) -> Any:
        """The data of an API call; None while there is no answer."""
        address = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=10) as reply:
                return json.load(reply)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series."""
        found = self.get("query", query=expression)
        return [(one["metric"], float(one["value"][1])) for one in found["result"]]

    def by(self, label: str, expression: str) -> dict[str, float]:
        """Values by a label."""
        return {labels[label]: value for labels, value in self.query(expression)}

    def increase(self, counter: str) -> str:
        """The exact increase of a counter that was never reset; `increase()` extrapolates."""
        return f"max_over_time({counter}[1h]) - min_over_time({counter}[1h])"

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for scrapes that make a condition true."""
        until(condition, seconds=60)


@contextmanager
def scraping(folder: Path, port: int, token: str = "") -> Iterator[Prometheus]:
    """A Prometheus that scrapes a port of this machine, with the chart's alerts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    job: dict[str, Any] = {"job_name": "meanface", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    if token:
        job["authorization"] = {"type": "Bearer", "credentials": token}
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [job],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML
    command = [program("prometheus"), f"--config.file={folder}/prometheus.yml"]
    command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{own}"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Prometheus(f"http://127.0.0.1:{own}")
    try:
        until(lambda: (found := server.get("query", query="up")) and found["result"], seconds=60)
        yield server
    finally:
        process.kill()
        process.wait()
