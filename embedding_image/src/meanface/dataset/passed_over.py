"""Counts the files that a listing passes over, by kind."""

from __future__ import annotations

from meanface.dataset.kinds import Kind
from meanface.dataset.photos import printable
from meanface.dataset.refs import PassedOver

EXAMPLES = 3
LONGEST_EXAMPLE = 200
"""letters"""


class Account:
    """Files that were passed over. Memory is bounded: kinds are few, and each keeps three names.

    The names are the first ones in alphabetical order, so that the order of listing does not matter.
    """

    def __init__(self) -> None:
        self._files: dict[Kind, int] = {}
        self._examples: dict[Kind, list[str]] = {}

    def add(self, kind: Kind, name: str) -> None:
        """Count a file."""
        self._files[kind] = self._files.get(kind, 0) + 1
        self._keep(kind, [printable(name)[0][:LONGEST_EXAMPLE]])

    def merge(self, other: Account) -> None:
        """Add what another one has counted."""
        for kind, files in other._files.items():
            self._files[kind] = self._files.get(kind, 0) + files
            self._keep(kind, other._examples[kind])

    def records(self) -> tuple[PassedOver, ...]:
        """One for each kind, that with the most files first."""
        kinds = sorted(self._files, key=lambda kind: (-self._files[kind], kind.name))
        return tuple(
            PassedOver(
                kind=kind.name, files=self._files[kind], examples=tuple(self._examples[kind]), advice=kind.advice
            )
            for kind in kinds
        )

    def _keep(self, kind: Kind, names: list[str]) -> None:
        kept = self._examples.setdefault(kind, [])
        if len(kept) < EXAMPLES or names[0] < kept[-1]:
            kept[:] = sorted([*kept, *names])[:EXAMPLES]
