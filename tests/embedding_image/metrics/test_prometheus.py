"""A real Prometheus that scrapes runs records what result.json counts, though exporters die."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from meanface.pipeline import embed, plan, reduce
from meanface.pipeline.run import Run
from meanface.pipeline.series import in_series
from meanface.settings import Settings
from meanface.state.redis import RedisState
from meanface.storage.files import Storage
from meanface.storage.layout import files_of
from meanface.storage.marker import InSeries
from meanface.workers.pool import Workers
from prometheus_server import Prometheus, dashboard_queries, scraping

TOKEN = "s3cret-of-the-scraper"


@contextmanager
def exporter(url: str, port: int) -> Iterator[None]:
    """The command, in a process that is killed at the end."""
    command = [sys.executable, "-m", "meanface", "metrics", "--port", str(port)]
    environment = os.environ | {"MEANFACE_REDIS_URL": url, "MEANFACE_METRICS_TOKEN": TOKEN}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().endswith("/metrics\n")
    try:
        yield
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def dataset(tmp_path: Path, portrait_files: list[Path]) -> Callable[[str, int], Path]:
    """Folders with portraits, a photo without a face, two damaged ones, and two files that are no photos."""
    portrait = Image.open(portrait_files[0]).convert("RGB").crop((120, 80, 440, 400)).resize((160, 160))

    def bmp(image: Image.Image) -> bytes:
        encoded = io.BytesIO()
        image.save(encoded, "BMP")
        return encoded.getvalue()

    def make(name: str, faces: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for number in range(faces):
            (folder / f"{number}.bmp").write_bytes(bmp(portrait.rotate(number)))
        (folder / "grey.bmp").write_bytes(bmp(Image.new("RGB", (160, 160), "grey")))
        for number in range(2):
            (folder / f"damaged-{number}.jpg").write_bytes(b"\xff\xd8\xff no photo")
        (folder / "notes.txt").write_text("a note")
        (folder / "video.mp4").write_bytes(b"no photo")
        return folder

    return make


class Runs:
    """Runs in one storage, with their state in Redis."""

    def __init__(self, folder: Path, new_state: Callable[[str], RedisState], workers: Workers) -> None:
        self._storage, self._new_state, self._workers = Storage(str(folder)), new_state, workers

    def planned(self, name: str, dataset: Path, series: InSeries | None = None) -> Run:
        run = Run(name, self._new_state(name), files_of(self._storage, name), shared=self._storage)
        plan(run, Settings.of(dataset=str(dataset), partition_size=2, max_failed_fraction=1.0), series)
        return run

    def embed(self, run: Run, partitions: range) -> None:
        for partition in partitions:
            embed(run, partition, self._workers)

    def result(self, run: Run) -> dict[str, Any]:
        reduce(run)
        return json.loads(run.files.read("result.json"))


def recorded(prometheus: Prometheus) -> dict[str, Any]:
    """What Prometheus has recorded of a run so far, in the terms of result.json."""
    increase = prometheus.increase

    def single(counter: str) -> float:
        ((_, value),) = prometheus.query(increase(counter))
        return value

    kinds = prometheus.by("kind", "max_over_time(meanface_passed_over_files_total[1h])")
    return {
        "outcomes": prometheus.by("outcome", increase("meanface_photos_total")),
        "photos": sum(prometheus.by("outcome", increase("meanface_photos_total")).values()),
        "faces": single("meanface_faces_total"),
        "passed_over": kinds,
        "partitions": prometheus.by("answer", increase("meanface_commits_total"))["stored"],
        "photos_reused": single("meanface_photos_reused_total"),
    }


def counted(*results: dict[str, Any]) -> dict[str, Any]:
    """The same of results, added up."""
    kinds: dict[str, int] = {}
    for result in results:
        for one in result["passed_over"]:
            kinds[one["kind"]] = kinds.get(one["kind"], 0) + one["files"]
    return {
        "outcomes": {name: sum(one["outcomes"][name] for one in results) for name in results[0]["outcomes"]},
        "photos": sum(one["photos"] for one in results),
        "faces": sum(one["faces"] for one in results),
        "passed_over": kinds,
        "partitions": sum(one["partitions"]["total"] for one in results),
        "photos_reused": sum(one["photos_reused"] for one in results),
    }


@pytest.mark.long
def test_prometheus_has_the_counts_of_result_json(
    tmp_path: Path,
    redis_server: Any,
    exporter_url: str,
    new_state: Callable[[str], RedisState],
    workers_for: Callable[[Settings], Workers],
    dataset: Callable[[str, int], Path],
) -> None:
    """Over two runs, with an exporter that is killed in each, and records that expire."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    workers = workers_for(Settings.of(dataset="photos", max_failed_fraction=1.0))
    runs = Runs(tmp_path / "storage", new_state, workers)
    with scraping(tmp_path, port, TOKEN) as prometheus:

        def reduces() -> float:
            return prometheus.by("stage", 'meanface_attempts_total{stage="reduce", end="done"}').get("reduce", 0)

        with exporter(exporter_url, port):
            prometheus.until(lambda: prometheus.query("meanface_photos_total"))
            first = runs.planned("first", dataset("a", 6), in_series("daily", datetime.now(UTC)))
            runs.embed(first, range(2))
            prometheus.until(lambda: recorded(prometheus)["partitions"] == 2)
        last = len(first.manifest().partitions)
        runs.embed(first, range(2, last - 1))  # while there is no exporter
        with exporter(exporter_url, port):
            runs.embed(first, range(last - 1, last))
            runs.embed(first, range(1))  # a retry of what is committed
            one = runs.result(first)
            prometheus.until(lambda: reduces() == 1)
            assert recorded(prometheus) == counted(one)
            assert one["outcomes"]["undecodable"] == 2
            assert prometheus.by("stage", "meanface_retries_total")["embed"] == 1
            assert prometheus.by("series", "time() - meanface_series_last_success_timestamp_seconds")["daily"] < 300

        expired = list(redis_server.admin.scan_iter("meanface:{first}:*"))
        redis_server.admin.delete(*expired)
        with exporter(exporter_url, port):
            second = runs.planned("second", dataset("b", 9))
            runs.embed(second, range(len(second.manifest().partitions)))
            two = runs.result(second)
            prometheus.until(lambda: reduces() == 2)
            assert recorded(prometheus) == counted(one, two)
            assert [query for query in dashboard_queries() if not prometheus.query(query)] == []
            assert prometheus.query("ALERTS{alertstate='firing'}") == []
            names = {rule["name"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]}
            assert len(names) == 5
            assert prometheus.query("resets(meanface_photos_total[1h]) > 0") == []
