"""What an export wrote."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exported:
    """A table of an export, after it was written."""

    name: str
    """`faces` or `templates`"""
    rows: int
    written: int
    """rows that were not there before"""
    removed: int
    """rows of an earlier export that are not in the result"""

    def __str__(self) -> str:
        """Return a line for people.

        >>> str(Exported("faces", 2000, 12, 0))
        'faces      2,000 rows: 12 written'
        >>> str(Exported("templates", 5, 0, 0)), str(Exported("faces", 5, 5, 2))
        ('templates  5 rows: unchanged', 'faces      5 rows: 5 written, 2 removed')
        """
        changes = [
            f"{count:,} {what}" for count, what in ((self.written, "written"), (self.removed, "removed")) if count
        ]
        return f"{self.name:<10} {self.rows:,} rows: {', '.join(changes) or 'unchanged'}"
