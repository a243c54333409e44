"""The contribution of one run to its series: counts and exact moments; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, NonNegativeInt

from meanface.ledger import codec
from meanface.outcome import Outcome
from meanface.stats.moments import Moments
from meanface.storage.record import Record

SCHEMA = 1


class ContributionHeader(Record):
    """All of a contribution but the moments."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    series: str
    interval: str
    run: str
    recipe: str
    fingerprint: str
    dataset: str
    photos: NonNegativeInt
    outcomes: dict[Outcome, NonNegativeInt]
    faces: NonNegativeInt
    generation: NonNegativeInt = 0
    """of the run's plan; of two contributions of an interval, the higher generation counts"""


@dataclass(frozen=True)
class Contribution:
    """One run's part of a series."""

    head: ContributionHeader
    moments: Moments

    def to_bytes(self) -> bytes:
        """Return the stored form; equal contributions give equal bytes."""
        return codec.encode(self.head, self.moments)

    @classmethod
    def from_bytes(cls, data: bytes) -> Contribution:
        """Parse a contribution; `DamagedRecord` for another schema version or damaged bytes."""
        return cls(*codec.decode(data, ContributionHeader, "a contribution", SCHEMA))
