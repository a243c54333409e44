"""What one run adds to its series, pure: counts and exact moments, as one record.

A line with the SHA-256 of what follows, in hexadecimal; one line of JSON; the moments' own bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, NonNegativeInt

from meanface.outcome import Outcome
from meanface.stats.moments import Moments
from meanface.storage.checksum import HEX, seal, unseal
from meanface.storage.record import Record

SCHEMA = 1
CHECKSUM_BYTES = HEX
"""as many first bytes tell one contribution from another"""


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
    """of the run's plan: of two contributions of an interval, that of the later plan counts"""


@dataclass(frozen=True)
class Contribution:
    """One run's part of a series."""

    head: ContributionHeader
    moments: Moments

    def to_bytes(self) -> bytes:
        """As kept in storage; equal contributions give equal bytes."""
        return seal(self.head.model_dump_json(by_alias=True).encode() + b"\n" + self.moments.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Contribution:
        """Read a record back.

        Raises
        ------
        DamagedRecord
            for another schema version, or damaged bytes
        """
        line, _, moments = unseal(data, "a contribution to a series").partition(b"\n")
        head = ContributionHeader.parsed(line, f"a contribution of schema {SCHEMA}")
        return cls(head, Moments.from_bytes(moments))
