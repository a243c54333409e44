"""The line that people watch, pure: from a run's progress records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from meanface_airflow.page.models import PlannedPartition, Progress
from meanface_airflow.page.partitions import partition, totals


def line(manifest: dict[str, Any], records: Iterable[dict[str, Any]], now: float) -> str:
    """How far a run is; how fast and how long still, once the rate is known.

    >>> record = {"schema": 1, "partition": 0, "state": "embedding", "photos": 500, "photos_done": 200, "outcomes": {}}
    >>> record |= {"photos_per_second": 10.0, "attempt": 1, "host": "h", "started_at": 980.0, "updated_at": 1000.0}
    >>> run = {"photos": 500, "partitions": [{"index": 0, "photos": 500}]}
    >>> line(run, [record | {"eta_seconds": 30.0}], 1000.0)
    '200/500 photos, 10.0 photos/s, 30 s left, 0/1 partitions'
    >>> line(run, [record | {"photos_done": 1, "eta_seconds": None}], 1000.0)
    '1/500 photos, 0/1 partitions'
    """
    progress = {one.partition: one for one in _checked(records)}
    slices = [PlannedPartition.model_validate(one) for one in manifest["partitions"]]
    told = [progress.get(one.index) for one in slices]
    shown = [
        partition(one, record, None, record is not None and record.state == "committed", now)
        for one, record in zip(slices, told, strict=True)
    ]
    sums = totals(shown, now)
    parts = [f"{sums.done:,}/{sums.photos:,} photos"]
    if sums.eta is not None:
        parts += [f"{sums.rate:.1f} photos/s", f"{duration(sums.eta)} left"]
    parts.append(f"{sums.states['committed']:,}/{len(slices):,} partitions")
    return ", ".join(parts)


def _checked(records: Iterable[dict[str, Any]]) -> Iterable[Progress]:
    """The records that this version reads."""
    for record in records:
        try:
            yield Progress.model_validate(record)
        except ValidationError:
            continue


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> [duration(seconds) for seconds in (4.2, 75, 7300)]
    ['4 s', '1 min 15 s', '2 h 1 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
