"""The lines of `meanface identify`: counts, the first faces, and what to know about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from meanface.cli.tables import table
from meanface.pipeline.identify import Identified
from meanface.text import escaped

SHOWN = 20
"""rows of the table"""
NAMED = 5
"""labels that are named"""

_HEADS = ("photo", "face", "label", "distance", "next label", "distance", "to mean", "as near")


def identified_lines(found: Identified) -> Iterator[str]:
    """Yield the lines; the last one has the path of the table, if there is one."""
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found.outcomes.items()) if count)
    yield f"photos  {found.photos:,} ({outcomes})"
    yield f"faces   {_faces(found)}"
    for sentence in found.account:
        yield f"        {escaped(sentence)}"
    if found.labels:
        yield f"labels  {_labels(found)}"
    yield ""
    yield from table(_HEADS, map(_row, found.rows[:SHOWN]))
    if found.faces:
        yield ""
        yield "Distance: to the mean of the label's faces. To mean: distance to the mean of all faces of the result."
        yield "As near: share of the result's faces that are no farther from that mean."
    if len(found.rows) > SHOWN:
        where = "the table has all" if found.output else "--output keeps a table of all"
        yield f"These are the first {SHOWN} rows; {where}."
    if found.suggested is not None and found.suggested != found.threshold:
        yield f"Note: the result's own faces suggest the threshold {found.suggested:.2f} (see its report)."
    if not found.same_recipe:
        yield "Note: the result is of other models or versions than this program, so the distances may be wrong."
    if found.output:
        yield f"output  {escaped(found.output)}"


def _faces(found: Identified) -> str:
    if found.threshold is None:
        return f"{found.faces:,}; the result has no labels to find"
    unknown = found.faces - found.known
    return f"{found.faces:,} ({found.known:,} known, {unknown:,} unknown: farther than {found.threshold:g} from all)"


def _labels(found: Identified) -> str:
    common = sorted(found.labels.items(), key=lambda pair: (-pair[1], pair[0]))
    named = ", ".join(f"{escaped(label) or '(none)'} {count:,}" for label, count in common[:NAMED])
    return f"{len(common):,} ({named}{', ...' if len(common) > NAMED else ''})"


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    photo = escaped(row["photo"])
    if row["face"] is None:
        reason = f": {escaped(row['detail'])}" if row["detail"] else ""
        return photo, "", f"({row['outcome']}{reason})", "", "", "", "", ""
    near = row["nearest"]
    own = 0 if row["known"] else -1  # an unknown face is next to its nearest label
    following = near[own + 1] if len(near) > own + 1 else None
    within = row["fraction_within"]
    return (
        photo,
        str(row["face"] + 1),
        _name(row["label"]),
        f"{near[0]['distance']:.4f}" if row["known"] else "",
        _name(following["label"]) if following else "",
        f"{following['distance']:.4f}" if following else "",
        f"{row['mean_distance']:.4f}",
        "" if within is None else f"{within:.1%}",
    )


def _name(label: str) -> str:
    return escaped(label) or "(none)"
