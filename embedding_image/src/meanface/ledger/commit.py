"""A commit record: what one partition adds to the mean, as it is kept in the store.

A line with the SHA-256 of what follows; one line of JSON; the moments' own bytes. Its digest covers what the partition
and the settings decide, and neither the attempt nor the clock: two attempts that agree have the same digest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from meanface.errors import DamagedRecord
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.stats.exact_sum import ExactSum
from meanface.stats.moments import Moments
from meanface.storage.checksum import seal, unseal
from meanface.storage.record import Record

SCHEMA = 3

COUNTS = (
    "faces_found",
    "left_out_min_face",
    "left_out_min_score",
    "left_out_policy",
    "turned",
    "turned_without_face",
)
"""Faces that were found, and why some of them do not count; photos whose EXIF orientation is 2 to 8, and those of them
without a face that counts."""


class CommitHeader(Record):
    """All of a commit record but the moments."""

    schema_version: Literal[3] = Field(default=3, alias="schema")
    fingerprint: str
    partition: NonNegativeInt
    photos_digest: str
    """the partition's digest in the manifest"""
    outcomes: dict[Outcome, NonNegativeInt]
    counts: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """by the names in `COUNTS`; what is not there is 0"""
    chips: str | None
    """digest of the partition's chip sum in storage (`meanface.ledger.chip_sums`); null where no pixels are kept"""
    attempt: NonNegativeInt = 0
    host: str = ""
    seconds: NonNegativeFloat = 0.0
    """from the stage's start to its commit"""
    detectors: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """who found faces -> in how many photos it looked, also before or for another run"""
    photos_resumed: NonNegativeInt = 0
    """photos whose ledger an earlier attempt had written"""
    reused: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """name of another run, or of this one for its earlier plans -> photos whose ledger rows were taken from there"""


@dataclass(frozen=True)
class Commit:
    """One partition's contribution."""

    head: CommitHeader
    moments: Moments

    def digest(self) -> str:
        """SHA-256 of what must be equal in every attempt, in hexadecimal."""
        fixed = {"schema", "fingerprint", "partition", "photos_digest", "outcomes", "counts", "chips"}
        head = self.head.model_dump(mode="json", by_alias=True)
        canonical = json.dumps({key: head[key] for key in fixed}, sort_keys=True)
        return hashlib.sha256(canonical.encode() + b"\n" + self.moments.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """As kept in the store; less than 100 kB."""
        return seal(self.head.model_dump_json(by_alias=True).encode() + b"\n" + self.moments.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Commit:
        """Read a record back.

        Raises
        ------
        DamagedRecord
            for another schema version, or damaged bytes
        """
        line, _, moments = unseal(data, "a commit record").partition(b"\n")
        head = CommitHeader.parsed(line, f"a commit record of schema {SCHEMA}")
        return cls(head, Moments.from_bytes(moments))

    def agrees(self, outcomes: Counter[Outcome], faces: ExactSum) -> bool:
        """Whether a ledger with these outcomes, and this sum of all embeddings, is the one that was committed."""
        return (Counter(self.head.outcomes), self.moments.total) == (outcomes, faces)

    def check(self, manifest: Manifest) -> None:
        """Refuse a record that is not about this manifest's partition.

        Raises
        ------
        DamagedRecord
            naming the partition and what differs
        """
        head, planned = self.head, len(manifest.partitions)
        if head.partition >= planned:
            raise DamagedRecord(f"commit of partition {head.partition}, of which the manifest has {planned}")
        partition = manifest.partitions[head.partition]
        expected = {
            "fingerprint": (head.fingerprint, manifest.fingerprint),
            "photos": (head.photos_digest, partition.digest),
            "number of photos": (sum(head.outcomes.values()), partition.photos),
            "with a chip sum": (head.chips is not None, manifest.settings.face_pixels),
        }
        for what, (found, wanted) in expected.items():
            if found != wanted:
                raise DamagedRecord(f"commit of partition {head.partition}: {what} {found}, expected {wanted}")
