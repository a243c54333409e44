"""How figures are printed: tables, and goals beside what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Goal(NamedTuple):
    """A figure, and what it should be."""

    what: str
    measured: float
    bound: float
    unit: str = ""
    at_most: bool = False

    @property
    def reached(self) -> bool:
        """Whether the figure is as it should be."""
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound

    def row(self) -> tuple[str, str, str, str]:
        """For people."""
        sign = "<=" if self.at_most else ">="
        digits = 2 if self.bound < 5 else 1
        wanted = f"{sign} {self.bound:,g}{self.unit}"
        return self.what, f"{self.measured:,.{digits}f}{self.unit}", wanted, "reached" if self.reached else "MISSED"


def show(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: words to the left, figures to the right of their columns."""
    lines = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n{title}")
    for first, *others in lines:
        cells = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        print("  " + "  ".join([f"{first:{widths[0]}}", *cells]), flush=True)


def show_goals(goals: Iterable[Goal]) -> None:
    """Print what was reached, and what was not."""
    show("goals", ("figure", "measured", "goal", ""), [goal.row() for goal in goals])
