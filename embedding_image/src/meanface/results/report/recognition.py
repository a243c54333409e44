"""What the section on recognition shows beyond its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meanface.stats.recognition_models import Recognition


def context(found: Recognition | None) -> dict[str, Any]:
    """Variables of the template."""
    if found is None:
        return {"methods": [], "choices": [], "verdicts": []}
    methods = [("mean", found.mean), ("trimmed mean", found.trimmed)]
    methods += [("nearest single photo", found.photo)] if found.photo else []
    choices = [("suggested", found.suggested)] if found.suggested else []
    choices += [("customary", found.customary)] if found.customary else []
    return {"methods": methods, "choices": choices, "verdicts": list(_verdicts(found))}


def _verdicts(found: Recognition) -> Iterator[str]:
    """Say how other templates compare with means."""
    for name, method in (("The trimmed mean", found.trimmed), ("The nearest single photo", found.photo)):
        if method is None or method.better is None:
            continue
        change = method.better
        points = f"{100 * change.value:+.1f} percentage points ({100 * change.low:+.1f} to {100 * change.high:+.1f})"
        if change.low > 0:
            yield f"{name} recognises more of these faces than the mean: {points}."
        elif change.high < 0:
            yield f"{name} recognises fewer of these faces than the mean: {points}."
        else:
            yield f"{name} does not differ significantly from the mean: {points}."
