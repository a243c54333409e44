"""The line that people watch, pure: from a run's progress records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def line(manifest: dict[str, Any], records: Iterable[dict[str, Any]]) -> str:
    """How far a run is.

    >>> line(
    ...     {"photos": 10, "partitions": [{}, {}]},
    ...     [
    ...         {"state": "committed", "photos_done": 5, "photos_per_second": 9.0},
    ...         {"state": "embedding", "photos_done": 2, "photos_per_second": 1.5},
    ...     ],
    ... )
    '7/10 photos, 1.5 photos/s, 2 s left, 1/2 partitions'
    """
    records = list(records)
    photos = manifest["photos"]
    done = min(sum(record["photos_done"] for record in records), photos)
    committed = sum(record["state"] == "committed" for record in records)
    rate = sum(record["photos_per_second"] or 0.0 for record in records if record["state"] == "embedding")
    parts = [f"{done:,}/{photos:,} photos"]
    if rate > 0:
        parts += [f"{rate:.1f} photos/s", f"{duration((photos - done) / rate)} left"]
    parts.append(f"{committed:,}/{len(manifest['partitions']):,} partitions")
    return ", ".join(parts)


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
