"""What a run leaves in Redis, read: manifest, progress, result. Knows redis-py and JSON only."""

from __future__ import annotations

import json
import math
from typing import Any

from redis import Redis

SCHEMA = 1


class RecordRefused(Exception):
    """A run's record is not there, or is not what this version reads; retrying cannot help."""


class RunRecords:
    """The records of one run.

    Parameters
    ----------
    redis
        a client; failures to reach the server pass through as redis-py's own errors
    run
        the run's name
    """

    def __init__(self, redis: Redis, run: str) -> None:
        self._redis = redis
        self._run = run

    @classmethod
    def at(cls, url: str, run: str) -> RunRecords:
        """The records of a run in the Redis at this address."""
        return cls(Redis.from_url(url, socket_timeout=10, socket_connect_timeout=10, client_name="airflow"), run)

    def manifest(self) -> dict[str, Any]:
        """Summary of the plan: photos, settings, partitions."""
        return self._record("manifest")

    def result(self) -> dict[str, Any]:
        """The run's result, its floats to the last bit."""
        return self._record("result")

    def progress(self) -> list[dict[str, Any]]:
        """Where each partition is that has been started, by partition; those of other schemas are left out."""
        found = [json.loads(text) for text in self._redis.hvals(self._key("progress"))]
        return sorted((one for one in found if one.get("schema") == SCHEMA), key=lambda one: one["partition"])

    def planned(self) -> bool:
        """Whether the manifest is there."""
        return bool(self._redis.exists(self._key("manifest")))

    def _record(self, name: str) -> dict[str, Any]:
        text = self._redis.get(self._key(name))
        if text is None:
            raise RecordRefused(f"run {self._run}: Redis has no {name}; it was never written, or has expired")
        record: dict[str, Any] = json.loads(text)
        if record.get("schema") != SCHEMA:
            raise RecordRefused(
                f"run {self._run}: its {name} has schema {record.get('schema')}, expected {SCHEMA}; "
                "Airflow's plugin and the embedding image are of different versions"
            )
        return record

    def _key(self, name: str) -> str:
        return f"meanface:{{{self._run}}}:{name}"


def partitions(manifest: dict[str, Any]) -> list[int]:
    """Indices of a manifest's partitions.

    >>> partitions({"partitions": [{"index": 0, "photos": 2}, {"index": 1, "photos": 1}]})
    [0, 1]
    """
    return [partition["index"] for partition in manifest["partitions"]]


SUMMARY = (
    "run",
    "dataset",
    "photos",
    "photos_with_face",
    "faces",
    "outcomes",
    "recipe",
    "fingerprint",
    "partitions",
    "location",
    "artifacts",
)


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """A result without its vectors, the mean's Euclidean norm, and the series, if the run is in one, likewise."""
    series = result["series"]
    return {name: result[name] for name in SUMMARY} | {
        "norm": math.hypot(*result["mean"]),
        "series": series and {name: value for name, value in series.items() if name != "mean"},
    }
