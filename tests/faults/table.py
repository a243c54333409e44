"""How schedules ended, by the kinds of their faults."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from faults.kinds import KINDS
from faults.schedule import End

_ENDS: tuple[str, ...] = get_args(End)


@dataclass
class Table:
    """Counts; a schedule counts under each of its faults."""

    seeds: list[int] = field(default_factory=list)
    """of the schedules that held"""
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.seeds or self.skipped)

    def to_json(self) -> str:
        """For the process that collects the tables."""
        return json.dumps([self.seeds, [[*pair, count] for pair, count in self.ends.items()], self.skipped])

    def add(self, other: str) -> None:
        """Add the table of another process, from its JSON."""
        seeds, ends, skipped = json.loads(other)
        self.seeds = sorted(self.seeds + seeds)
        self.ends.update({(kind, end): count for kind, end, count in ends})
        self.skipped |= skipped

    def lines(self) -> Iterator[str]:
        """As text."""
        seeds = f", seeds {self.seeds[0]} to {self.seeds[-1]}" if self.seeds else ""
        yield f"{len(self.seeds)} schedules{seeds}: each ended with the quiet bits, and counts under all its faults"
        yield f"{'':32}" + "".join(f"{end:>20}" for end in _ENDS)
        for kind in KINDS:
            skipped = self.skipped.get(kind.name)
            counts = "".join(f"{self.ends[kind.name, end]:20}" for end in _ENDS)
            yield f"{kind.name:32}" + (f"  skipped: {skipped}" if skipped else counts)
