"""A real Prometheus scrapes the chart's exporter during a run; its record equals the run's result."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from photos import Desk, archive_of, portraits
from release import NAME, Release

from polling import until
from prometheus_server import Prometheus, dashboard_queries, program, scraping

PHOTOS = 60
DAY = "2026-01-05T00:00:00Z"


@pytest.fixture
def prometheus(release: Release, tmp_path: Path) -> Iterator[Prometheus]:
    """Scrapes the exporter, which the release has for this test only."""
    program("prometheus")
    release.upgrade(metrics={"enabled": True})
    release.until_ready()
    forward = release.namespace.forward("deployment/meanface-metrics", 9464)
    with scraping(tmp_path, forward.port) as server:
        server.until(lambda: server.query("meanface_redis_up == 1"))
        yield server
    forward.close()
    release.upgrade(metrics={"enabled": False})
    release.until_ready()


def test_prometheus_records_a_run_of_pods(release: Release, desk: Desk, prometheus: Prometheus, tmp_path: Path) -> None:
    """The run has a file that is passed over, and a series: so every query of the dashboard has an answer."""
    page = tmp_path / "page.txt"
    page.write_text("no photo")
    archive = archive_of(portraits(), PHOTOS, tmp_path / "photos.tar")
    with tarfile.open(archive, "a") as tar:
        tar.add(page, page.name)
    photos = desk.put("/storage/datasets/metrics.tar", archive.read_bytes())
    conf = {"dataset": photos, "partition_size": 20, "max_bytes": 199_999_999, "series": "metrics"}
    run = release.ask(lambda airflow: airflow.trigger(conf, date=DAY))
    release.succeeded(run)
    summary = release.summary(run)

    def exact(counter: str) -> str:
        return prometheus.increase(counter)

    until(lambda: prometheus.by("end", exact('meanface_attempts_total{stage="reduce"}')).get("done") == 1)
    assert prometheus.by("outcome", exact("meanface_photos_total")) == summary["outcomes"]
    ((_, faces),) = prometheus.query(exact("meanface_faces_total"))
    assert faces == summary["faces"]
    assert prometheus.by("answer", exact("meanface_commits_total"))["stored"] == summary["partitions"]["total"]
    assert [query for query in dashboard_queries() if not prometheus.query(query)] == []
    assert release.namespace.pods(instance=NAME, component="metrics", phase="Running")
