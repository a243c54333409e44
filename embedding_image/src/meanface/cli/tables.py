"""Format comparisons and placements as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from meanface.outcome import Outcome
from meanface.results.compare import Comparison
from meanface.results.nearest import Placement
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


def placement(found: Placement) -> str:
    """Format a placement: the photo's faces, their distances and nearest labels."""
    reason = found.detail or ("" if found.faces else found.outcome.meaning)
    lines = [f"{escaped(found.photo)}: {found.outcome}" + (f" ({escaped(reason)})" if reason else "")]
    if found.faces:
        lines += ["", *table(["face", "left, top", "distance", "cosine", "as near"], _faces(found)), ""]
        lines.append("Distance: to the mean of the result. As near: share of its faces that are no farther from it.")
    if any(face.labels for face in found.faces):
        lines += ["", *table(["face", "nearest labels", "distance", "faces"], _labels(found)), ""]
        lines.append("Distance: to the mean of the label's faces.")
    if len(found.faces) < found.faces_found:
        lines.append(
            f"Note: {found.faces_found} faces were found; the result's setting faces={found.policy} takes "
            f"{len(found.faces) or 'none'} of them."
        )
    if not found.same_recipe:
        lines.append(
            f"Note: the result's recipe is {escaped(found.result_recipe[:12])}, this program's {found.recipe[:12]}: "
            "models or versions differ, so the distances may be wrong."
        )
    return "\n".join(lines)


def _faces(found: Placement) -> Iterator[tuple[str, ...]]:
    for face in found.faces:
        yield (
            str(face.face + 1),
            f"{face.box.left}, {face.box.top}",
            f"{face.distance:.4f}",
            "none" if face.cosine is None else f"{face.cosine:.4f}",
            "unknown" if face.fraction_within is None else f"{face.fraction_within:.1%}",
        )


def _labels(found: Placement) -> Iterator[tuple[str, ...]]:
    for face in found.faces:
        for near in face.labels:
            yield str(face.face + 1), escaped(near.label) or "(none)", f"{near.distance:.4f}", f"{near.faces:,}"


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
