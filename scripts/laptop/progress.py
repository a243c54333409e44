"""The progress line of a run, from its progress records; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from meanface_airflow.page.models import PlannedPartition, Progress
from meanface_airflow.page.partitions import partition, totals


def progress_line(manifest: dict[str, Any], records: Iterable[dict[str, Any]], now: float) -> str:
    """A run's progress; with the rate and the time left once they are known.

    >>> record = {"schema": 1, "partition": 0, "state": "embedding", "photos": 500, "photos_done": 200, "outcomes": {}}
    >>> record |= {"photos_per_second": 10.0, "attempt": 1, "host": "h", "started_at": 980.0, "updated_at": 1000.0}
    >>> run = {"photos": 500, "partitions": [{"index": 0, "photos": 500}]}
    >>> progress_line(run, [record | {"eta_seconds": 30.0}], 1000.0)
    '200/500 photos, 10.0 photos/s, 30 s left, 0/1 partitions'
    >>> progress_line(run, [record | {"photos_done": 1, "eta_seconds": None}], 1000.0)
    '1/500 photos, 0/1 partitions'
    """
    progress = {one.partition: one for one in _valid(records)}
    planned = [PlannedPartition.model_validate(one) for one in manifest["partitions"]]
    partitions = []
    for one in planned:
        record = progress.get(one.index)
        committed = record is not None and record.state == "committed"
        partitions.append(partition(one, record, None, committed, now))
    sums = totals(partitions, now)
    parts = [f"{sums.done:,}/{sums.photos:,} photos"]
    if sums.eta is not None:
        parts += [f"{sums.rate:.1f} photos/s", f"{duration(sums.eta)} left"]
    parts.append(f"{sums.states['committed']:,}/{len(planned):,} partitions")
    return ", ".join(parts)


def _valid(records: Iterable[dict[str, Any]]) -> Iterable[Progress]:
    """The records that this version can read."""
    for record in records:
        try:
            yield Progress.model_validate(record)
        except ValidationError:
            continue


def duration(seconds: float) -> str:
    """Format a duration.

    >>> [duration(seconds) for seconds in (4.2, 75, 7300)]
    ['4 s', '1 min 15 s', '2 h 1 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
