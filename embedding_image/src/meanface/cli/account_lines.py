"""The lines of `meanface plan --dry-run`: what a run would take, and how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from meanface.cli.meter import duration
from meanface.pipeline.dry_run import DatasetAccount, Estimate
from meanface.text import escaped

NAMED = 5
"""kinds or labels that are named"""


def account_lines(account: DatasetAccount) -> Iterator[str]:
    """Yield the lines."""
    yield f"dataset  {escaped(account.address)}"
    yield f"photos   {account.photos:,} ({_most(account.kinds)})"
    if account.refused:
        yield f"         {account.refused:,} of them cannot be read, such as"
        yield from (f"           {escaped(name)}: {escaped(reason)}" for name, reason in account.refusals)
    if account.too_large:
        yield f"         {account.too_large:,} of them too large, by max_bytes"
    yield f"bytes    {_bytes(account)}"
    if account.many_labels:
        yield "labels   too many for means by label"
    elif account.labels:
        yield f"labels   {len(account.labels):,} ({_most(account.labels, empty='(none)')})"
    for kind in account.passed_over:
        yield f"         passed over: {escaped(str(kind))}"
    for warning in account.warnings:
        yield f"         warning: {escaped(warning)}"
    yield f"time     {'none: no photo can be read' if account.estimate is None else estimate(account.estimate)}"


def estimate(found: Estimate) -> str:
    """Format an estimate with what it is based on.

    >>> estimate(Estimate(seconds=125.0, measured=32, measured_seconds=0.21, workers=2, first=False))
    'about 2 min 5 s with 2 workers: 32 of these photos, chosen by hash, took 0.21 s to read and embed here'
    """
    workers = f"{found.workers} worker" + ("" if found.workers == 1 else "s")
    chosen = "from the start of the archive" if found.first else "chosen by hash"
    return (
        f"about {duration(found.seconds)} with {workers}: {found.measured:,} of these photos, {chosen}, "
        f"took {found.measured_seconds:.2g} s to read and embed here"
    )


def _most(counts: Counter[str], empty: str = "") -> str:
    """Format the largest counts."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{escaped(name) or empty} {count:,}" for name, count in ordered[:NAMED])
    return f"{named}, ..." if len(ordered) > NAMED else named


def _bytes(account: DatasetAccount) -> str:
    if account.unknown_sizes == account.photos - account.refused and account.unknown_sizes:
        return "unknown before the photos are read"
    return f"{size(account.bytes)}" + (
        f" and {account.unknown_sizes:,} photos of unknown size" if account.unknown_sizes else ""
    )


def size(number: int) -> str:
    """Format a number of bytes.

    >>> size(999), size(25_300_000), size(7_000_000_000_000)
    ('999 bytes', '25.3 MB', '7,000.0 GB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= factor:
            return f"{number / factor:,.1f} {unit}"
    return f"{number} bytes"
