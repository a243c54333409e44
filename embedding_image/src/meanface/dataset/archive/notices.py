"""What people should know about a dataset, in a bounded number of lines."""

from __future__ import annotations

MOST = 20


class Notices:
    """Collects warnings; of a million of them it keeps the first and the number."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._more = 0

    def add(self, text: str) -> None:
        """Add one."""
        if len(self._first) < MOST:
            self._first.append(text)
        else:
            self._more += 1

    def texts(self) -> tuple[str, ...]:
        """The lines to show."""
        return (*self._first, *([f"and {self._more:,} more like these"] if self._more else []))
