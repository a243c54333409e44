"""Read a run's records in Redis: manifest, progress, result. Needs only redis-py and JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from redis import Redis

SCHEMA = 1


class RecordError(Exception):
    """A run's record is missing, damaged, or of another version; a retry cannot help."""


class RunRecords:
    """The records of one run.

    Parameters
    ----------
    redis
        a client; connection errors are redis-py's own
    run
        the run's name
    """

    def __init__(self, redis: Redis, run: str) -> None:
        self._redis = redis
        self._run = run

    @classmethod
    def at(cls, url: str, run: str, seconds: float = 10.0) -> RunRecords:
        """The records of a run in the Redis at this URL, which has to answer within some seconds."""
        client = Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds, client_name="airflow")
        return cls(client, run)

    def manifest(self) -> dict[str, Any]:
        """Summary of the plan: photos, settings, partitions."""
        return self._record("manifest")

    def result(self) -> dict[str, Any]:
        """The run's result, its floats to the last bit."""
        return self._record("result")

    def progress(self) -> list[dict[str, Any]]:
        """Progress of all started partitions, in order, without records of other schemas."""
        records = map(_parse_object, self._redis.hvals(self._key("progress")))
        readable = (one for one in records if one and one.get("schema") == SCHEMA and _is_count(one.get("partition")))
        return sorted(readable, key=lambda one: one["partition"])

    def partition_progress(self, partition: int) -> dict[str, Any] | None:
        """Progress of one partition; None if there is none of this schema."""
        record = _parse_object(self._redis.hget(self._key("progress"), str(partition)) or b"")
        return record if record and record.get("schema") == SCHEMA else None

    def has_manifest(self) -> bool:
        """Whether the run has been planned."""
        return bool(self._redis.exists(self._key("manifest")))

    def _record(self, name: str) -> dict[str, Any]:
        text = self._redis.get(self._key(name))
        if text is None:
            raise RecordError(
                f"run {self._run}: Redis has no {name}: it was never written, or it has expired; "
                "clear the run from `plan` on to write it again"
            )
        record = _parse_object(text)
        if record is None:
            raise RecordError(f"run {self._run}: its {name} in Redis is damaged: expected a JSON object")
        if record.get("schema") != SCHEMA:
            raise RecordError(
                f"run {self._run}: its {name} has schema {record.get('schema')}, expected {SCHEMA}; "
                "install Airflow's plugin and the embedding image in the same version"
            )
        return record

    def _key(self, name: str) -> str:
        return f"meanface:{{{self._run}}}:{name}"


def _parse_object(text: bytes | str) -> dict[str, Any] | None:
    """A JSON object, or None if the text is not one."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):  # also bytes that are not text, and numbers of thousands of digits
        return None
    return record if isinstance(record, dict) else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def partitions(manifest: dict[str, Any]) -> list[int]:
    """Indices of a manifest's partitions.

    Raises
    ------
    RecordError
        if their indices are not 0, 1, 2, ...

    >>> partitions({"partitions": [{"index": 0, "photos": 2}, {"index": 1, "photos": 1}]})
    [0, 1]
    """
    listed = manifest.get("partitions")
    found = [one.get("index") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not isinstance(listed, list) or not all(map(_is_count, found)) or found != list(range(len(listed))):
        raise RecordError("the manifest in Redis is damaged: its partitions are not numbered 0, 1, 2, ...")
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
    """Summarise a result: its numbers without vectors, the mean's Euclidean norm, and its series.

    Raises
    ------
    RecordError
        if a field is missing, or the mean is not a vector
    """
    missing = [name for name in (*SUMMARY, "mean", "series") if name not in result]
    if missing:
        raise RecordError(f"the result in Redis is damaged: it has no {', '.join(missing)}")
    series, mean = result["series"], result["mean"]
    if not (series is None or isinstance(series, dict)) or not _is_vector(mean):
        raise RecordError(
            "the result in Redis is damaged: expected `mean` to be a list of finite numbers, "
            "and `series` to be an object or null"
        )
    return {name: result[name] for name in SUMMARY} | {
        "norm": math.hypot(*mean),
        "series": series and {name: value for name, value in series.items() if name != "mean"},
    }


def _is_vector(value: object) -> bool:
    """Whether a value is a list of finite numbers."""
    return isinstance(value, list) and all(
        (isinstance(one, float) and math.isfinite(one)) or (type(one) is int and abs(one) < 2**53) for one in value
    )
