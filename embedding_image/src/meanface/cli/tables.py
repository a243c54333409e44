"""Format tables for people, and comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from meanface.outcome import Outcome
from meanface.results.compare import Comparison
from meanface.text import escaped

GAP = "  "


def comparison(found: Comparison) -> str:
    """Format a comparison: a table, the distance of the means, the verdict."""
    difference = found.difference
    return "\n".join(
        [
            *table(["", "A", "B"], _both(found)),
            "",
            f"distance      {difference.distance:.6g} between the means"
            + ("" if difference.expected is None else f"; about {difference.expected:.3g} by noise alone"),
            f"cosine        {'none' if difference.cosine is None else f'{difference.cosine:.9f}'}",
            f"largest       {difference.largest:.6g}, the difference in component {difference.component}",
            "",
            found.verdict(),
            *(f"Note: {escaped(warning)}" for warning in found.warnings()),
        ]
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield lines of columns, all aligned to the left.

    >>> list(table(["", "A", "B"], [["photos", "7", "2,000"]]))
    ['        A  B', 'photos  7  2,000']
    """
    lines = [list(heads), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _both(found: Comparison) -> Iterator[tuple[str, str, str]]:
    a, b = found.a, found.b
    yield "photos", f"{a.photos:,}", f"{b.photos:,}"
    yield "faces", f"{a.faces:,}", f"{b.faces:,}"
    for outcome in Outcome:
        here, there = a.outcomes.get(outcome, 0), b.outcomes.get(outcome, 0)
        if here or there:
            yield outcome.value, f"{here:,}", f"{there:,}"
    yield "fingerprint", escaped((a.fingerprint or "none")[:12]), escaped((b.fingerprint or "none")[:12])
    yield "recipe", escaped(a.recipe[:12]), escaped(b.recipe[:12])
    for name, (one, other) in found.differing().items():
        yield escaped(name), escaped(str(one)), escaped(str(other))
