"""Print tables of figures, and goals beside the measured figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Goal(NamedTuple):
    """A figure and its goal."""

    what: str
    measured: float
    bound: float
    unit: str = ""
    at_most: bool = False

    @property
    def reached(self) -> bool:
        """Whether the figure reaches the goal."""
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound

    def row(self) -> tuple[str, str, str, str]:
        """The goal as a row of a table."""
        sign = "<=" if self.at_most else ">="
        digits = 2 if self.bound < 5 else 1
        wanted = f"{sign} {self.bound:,g}{self.unit}"
        return self.what, f"{self.measured:,.{digits}f}{self.unit}", wanted, "reached" if self.reached else "MISSED"


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; its first column is left-aligned, the others are right-aligned."""
    lines = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n{title}")
    for first, *others in lines:
        cells = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        print("  " + "  ".join([f"{first:{widths[0]}}", *cells]), flush=True)


def print_goals(goals: Iterable[Goal]) -> None:
    """Print which goals were reached."""
    print_table("goals", ("figure", "measured", "goal", ""), [goal.row() for goal in goals])
