"""The last lines of a run: its result."""

from __future__ import annotations

from collections.abc import Iterator

from meanface.results.result import ResultRecord
from meanface.text import escaped


def result_lines(result: ResultRecord) -> Iterator[str]:
    """Yield the lines; the last one ends in the path of the report."""
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in result.outcomes.items() if count)
    first = ", ".join(f"{component:+.6f}" for component in result.mean[:4])
    yield f"photos  {result.photos:,} ({outcomes})"
    yield f"faces   {result.faces:,} in {result.photos_with_face:,} photos"
    yield f"mean    [{first}, ...]"
    for sentence in result.account:
        yield f"        {escaped(sentence)}"
    if result.series:
        series = result.series
        counts = f"{series.faces:,} faces in {series.intervals:,} intervals"
        yield f"series  {series.name}: {counts}, {escaped(series.location)}"
    yield f"files   {escaped(result.location)}"
    yield f"report  {escaped(result.location)}/report.html"
