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
        found = map(_object, self._redis.hvals(self._key("progress")))
        ours = (one for one in found if one and one.get("schema") == SCHEMA and _is_count(one.get("partition")))
        return sorted(ours, key=lambda one: one["partition"])

    def planned(self) -> bool:
        """Whether the manifest is there."""
        return bool(self._redis.exists(self._key("manifest")))

    def _record(self, name: str) -> dict[str, Any]:
        text = self._redis.get(self._key(name))
        if text is None:
            raise RecordRefused(f"run {self._run}: Redis has no {name}; it was never written, or has expired")
        record = _object(text)
        if record is None:
            raise RecordRefused(f"run {self._run}: its {name} in Redis is damaged: it is no JSON object")
        if record.get("schema") != SCHEMA:
            raise RecordRefused(
                f"run {self._run}: its {name} has schema {record.get('schema')}, expected {SCHEMA}; "
                "Airflow's plugin and the embedding image are of different versions"
            )
        return record

    def _key(self, name: str) -> str:
        return f"meanface:{{{self._run}}}:{name}"


def _object(text: bytes | str) -> dict[str, Any] | None:
    """A JSON object, if the text is one."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):  # bytes that are no text, and numbers of thousands of digits among them
        return None
    return record if isinstance(record, dict) else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def partitions(manifest: dict[str, Any]) -> list[int]:
    """Indices of a manifest's partitions.

    Raises
    ------
    RecordRefused
        if they are not listed, one after the other

    >>> partitions({"partitions": [{"index": 0, "photos": 2}, {"index": 1, "photos": 1}]})
    [0, 1]
    """
    listed = manifest.get("partitions")
    found = [one.get("index") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not isinstance(listed, list) or not all(map(_is_count, found)) or found != list(range(len(listed))):
        raise RecordRefused("the manifest in Redis is damaged: its partitions are not listed by index")
    return found


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
    "photos_reused",
    "location",
    "artifacts",
)


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """A result without its vectors, the mean's Euclidean norm, and the series, if the run is in one, likewise.

    Raises
    ------
    RecordRefused
        if something of it is missing, or the mean is no vector
    """
    missing = [name for name in (*SUMMARY, "mean", "series") if name not in result]
    if missing:
        raise RecordRefused(f"the result in Redis is damaged: it lacks {', '.join(missing)}")
    series, mean = result["series"], result["mean"]
    if not (series is None or isinstance(series, dict)) or not _is_vector(mean):
        raise RecordRefused("the result in Redis is damaged: mean or series are not what they should be")
    return {name: result[name] for name in SUMMARY} | {
        "norm": math.hypot(*mean),
        "series": series and {name: value for name, value in series.items() if name != "mean"},
    }


def _is_vector(value: object) -> bool:
    """Whether it is a list of finite numbers."""
    return isinstance(value, list) and all(
        (isinstance(one, float) and math.isfinite(one)) or (type(one) is int and abs(one) < 2**53) for one in value
    )
