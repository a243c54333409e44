"""What Airflow's plugin reads: records of a run in Redis, in tasks and on the progress page; its own settings."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any, cast

from redis import Redis

import airflow_home  # noqa: F401 - sets the environment
from fuzz.mutate import Mutator, json_changed, json_text
from fuzz.target import Target, held
from meanface_airflow.page import views
from meanface_airflow.page.models import Failures, Plan, Progress, Result, parse
from meanface_airflow.page.runs import Run
from meanface_airflow.page.source import Command
from meanface_airflow.records import RecordError, RunRecords, partitions, summary
from meanface_airflow.settings import Settings

MANIFEST: dict[str, Any] = {
    "schema": 1,
    "photos": 3,
    "source": {"url": "s3://photos", "kind": "folder"},
    "partitions": [{"index": 0, "photos": 2, "first": "a.jpg"}, {"index": 1, "photos": 1, "first": "c.jpg"}],
    "fingerprint": "f" * 64,
}
PROGRESS: dict[str, Any] = {
    "schema": 1,
    "partition": 1,
    "state": "embedding",
    "photos": 2,
    "photos_done": 1,
    "outcomes": {"ok": 1},
    "photos_per_second": 0.5,
    "recent_photos_per_second": 0.25,
    "attempt": 1,
    "host": "pod",
    "started_at": 1.7e9,
    "updated_at": 1.7e9 + 2,
    "failures_named": 1,
    "message": None,
}
FAILURES: dict[str, Any] = {"schema": 1, "failures": [["b.jpg", "undecodable", "no image"]], "more": 0}
RESULT: dict[str, Any] = {
    "schema": 1,
    "run": "fuzz",
    "dataset": "s3://photos",
    "photos": 3,
    "photos_with_face": 2,
    "faces": 2,
    "outcomes": {"ok": 2, "no_face": 1},
    "recipe": "r" * 64,
    "fingerprint": "f" * 64,
    "partitions": {"total": 2, "reused": 0},
    "photos_reused": 0,
    "location": "s3://results/fuzz",
    "artifacts": {"result": "result.json"},
    "mean": [0.1, -0.2, 0.3],
    "mean_normalized": None,
    "standard_error": [0.1, 0.1, 0.1],
    "series": {"name": "daily", "mean": [0.1, -0.2, 0.3]},
    "settings": {"dataset": "s3://photos", "partition_size": 2, "checksum": None},
    "versions": {"python": "3.11"},
    "warnings": ["ends early"],
    "account": ["passed over: videos: 1 ('a.mov')"],
    "timings": {"embed_seconds": 1.5},
}
KINDS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "manifest": (Plan, MANIFEST),
    "progress": (Progress, PROGRESS),
    "failures": (Failures, FAILURES),
    "result": (Result, RESULT),
}
TEXTS = Mutator(
    [json.dumps(record).encode() for _, record in KINDS.values()], [b"NaN", b"1e999", b"\\ud800", b"\xff", b"{}"]
)
VARIABLES = {
    "MEANFACE_RUNTIME": "process",
    "MEANFACE_WORKERS": "4",
    "MEANFACE_STORAGE": "/data",
    "MEANFACE_STORAGE_CLAIM": "claim",
    "MEANFACE_RESOURCES": '{"limits": {"cpu": 1}}',
    "MEANFACE_TOLERATIONS": "[]",
    "MEANFACE_IMAGE_PULL_SECRETS": "a, b",
    "MEANFACE_ENV": '{"A": "b"}',
}


class Answers:
    """Holds the same text under every key: a client of Redis, and the page's source."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def get(self, _key: str) -> bytes:
        return self._text

    def hvals(self, _key: str) -> list[bytes]:
        return [self._text, json.dumps(PROGRESS).encode()]

    def execute(self, *commands: Command) -> list[Any]:
        """Replies: texts, hashes of texts, and fields that are no numbers or huge ones."""
        line = self._text[:6000].split(b"\n")[0]
        good = json.dumps(PROGRESS).encode()
        kinds = {"GET": self._text, "HGETALL": {b"0": self._text, b"1": good}, "HKEYS": [b"0", line, b"9" * 5000]}
        return [kinds.get(str(command[0]), [self._text] * (len(command) - 2)) for command in commands]


def record(random: Random) -> bytes:
    """A record of one of the four kinds."""
    return json_text(random, random.choice(list(KINDS.values()))[1], TEXTS)


def _records(data: bytes) -> bool:
    """A record that a task uses is what the task needs, or refused."""
    records = RunRecords(cast(Redis, Answers(data)), "fuzz")
    accepted = 0
    for read, use in ((records.manifest, partitions), (records.result, summary)):
        try:
            used = cast(Callable[[Any], Any], use)(read())
        except RecordError as refused:
            str(refused).encode(errors="surrogatepass")
        else:
            accepted += 1
            held(used == list(range(len(used))) if isinstance(used, list) else math.isfinite(used["norm"]), f"{used}")
    held(all(type(one["partition"]) is int for one in records.progress()), "progress of no partition")
    return accepted > 0


def _page(data: bytes) -> bool:
    """Whatever is in Redis, the page has an answer, and one that JSON can hold."""
    source = Answers(data)
    run = Run("meanface", "fuzz", "running", "manual", None, None, None)
    finished = Run("meanface", "done", "success", "manual", None, None, None)
    answers = [
        views.one_run(source, run, views.NO_TASKS, ()),
        views.Overview(source)([run, finished]),
        views.failures(source, "fuzz", [0, 1]),
        *(found.model_dump(mode="json") for kind, _ in KINDS.values() if (found := parse(kind, data))),
    ]
    json.dumps(answers, allow_nan=False).encode()
    return len(answers) > 3


def variables(random: Random) -> bytes:
    """An environment, as JSON."""
    environment = json_changed(random, VARIABLES)
    return json.dumps({k: str(v) for k, v in environment.items()} if isinstance(environment, dict) else {}).encode()


def _settings(data: bytes) -> bool:
    try:
        Settings.from_environment(json.loads(data))
    except ValueError as refused:  # which names the variable
        held("MEANFACE_" in str(refused), str(refused))
        return False
    return True


TARGETS = (
    Target("plugin.records", record, _records, full=50_000, short=500),
    Target("plugin.page", record, _page, full=40_000, short=500),
    Target("plugin.settings", variables, _settings, full=20_000, short=300),
)
