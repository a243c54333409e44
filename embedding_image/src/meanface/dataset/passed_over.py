"""Count the files that a listing passes over."""

from __future__ import annotations

from collections.abc import Mapping

from meanface.dataset.kinds import Kind
from meanface.dataset.photos import printable
from meanface.dataset.refs import PassedOver

EXAMPLES = 3
LONGEST_EXAMPLE = 200
"""characters"""


class Account:
    """Numbers of files that were passed over, by kind, with their first names by alphabet.

    Memory is bounded, and the order of adding does not matter.
    """

    def __init__(self) -> None:
        self._files: dict[Kind, int] = {}
        self._examples: dict[Kind, list[str]] = {}

    def add(self, kind: Kind, name: str) -> None:
        """Count a file."""
        self._files[kind] = self._files.get(kind, 0) + 1
        self._keep(kind, [printable(name)[0][:LONGEST_EXAMPLE]])

    def merge(self, other: Account) -> None:
        """Add the files of another account."""
        for kind, files in other._files.items():
            self._files[kind] = self._files.get(kind, 0) + files
            self._keep(kind, other._examples[kind])

    def records(self) -> tuple[PassedOver, ...]:
        """One record for each kind, the kind with the most files first."""
        return tuple(
            PassedOver(kind=kind.name, files=files, examples=tuple(self._examples[kind]), advice=kind.advice)
            for kind, files in sorted(self._files.items(), key=lambda item: (-item[1], item[0].name))
        )

    def _keep(self, kind: Kind, names: list[str]) -> None:
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES or names[0] < examples[-1]:
            examples[:] = sorted([*examples, *names])[:EXAMPLES]


def merged(accounts: Mapping[str, tuple[PassedOver, ...]]) -> tuple[PassedOver, ...]:
    """One account of several, by the names of their folders.

    >>> raw = PassedOver(kind="raw photos", files=1, examples=("a.nef",))
    >>> [str(record) for record in merged({"b": (raw,), "a": (raw,)})]
    ["raw photos: 2 ('a/a.nef', 'b/a.nef')"]
    """
    files: dict[Kind, int] = {}
    examples: dict[Kind, list[str]] = {}
    for folder, records in accounts.items():
        for record in records:
            kind = Kind(record.kind, record.advice)
            files[kind] = files.get(kind, 0) + record.files
            known = examples.setdefault(kind, [])
            known[:] = sorted([*known, *(f"{folder}/{example}" for example in record.examples)])[:EXAMPLES]
    return tuple(
        PassedOver(kind=kind.name, files=number, examples=tuple(examples[kind]), advice=kind.advice)
        for kind, number in sorted(files.items(), key=lambda item: (-item[1], item[0].name))
    )
