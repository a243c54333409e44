"""Find the most common reason of many failures, in bounded memory; pure."""

from __future__ import annotations

import re
from collections import Counter

KINDS = 1_000
"""distinct reasons that are counted; further ones are ignored"""

_NUMBER = re.compile(r"\d[\d,.]*")


class Reasons:
    """Counts reasons; those that differ only in numbers count as one.

    >>> reasons = Reasons()
    >>> for reason in ("gone", "12 bytes then, 5 now", "7 bytes then, 19 now"):
    ...     reasons.add(reason)
    >>> reasons.commonest()
    ('12 bytes then, 5 now', 2)
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, reason: str) -> None:
        """Count a reason."""
        kind = _NUMBER.sub("0", reason)
        if kind in self._first or len(self._first) < KINDS:
            self._counts[kind] += 1
            self._first.setdefault(kind, reason)

    def commonest(self) -> tuple[str, int] | None:
        """Return the first reason of the most common kind, and the count of that kind."""
        for kind, count in self._counts.most_common(1):
            return self._first[kind], count
        return None
