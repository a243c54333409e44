"""The commit of one partition, as stored in Redis: counts and exact moments; pure.

The digest covers what partition and settings determine, not attempt, host or time: two attempts
that agree have the same digest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from meanface.errors import DamagedRecord
from meanface.ledger import codec
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.stats.exact_sum import ExactSum
from meanface.stats.moments import Moments
from meanface.storage.record import Record

SCHEMA = 3

COUNTS = ("faces_found", "left_out_min_face", "left_out_min_score", "left_out_policy", "turned", "turned_without_face")
"""Faces found, faces left out by reason, photos whose EXIF orientation is 2 to 8, and those of them
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
    """by the names in `COUNTS`; absent names are 0"""
    chips: str | None
    """digest of the chip sum (`meanface.ledger.chip_sum_files`); null if no pixels are kept"""
    attempt: NonNegativeInt = 0
    host: str = ""
    seconds: NonNegativeFloat = 0.0
    """from the start of the stage to the commit"""
    detectors: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """detector -> photos that it searched, in this or an earlier attempt, plan or run"""
    photos_resumed: NonNegativeInt = 0
    """photos whose ledger rows an earlier attempt wrote"""
    reused: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """run -> photos whose ledger rows were taken from it; this run stands for its earlier plans"""


@dataclass(frozen=True)
class Commit:
    """One partition's counts and moments."""

    head: CommitHeader
    moments: Moments

    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of all that must be equal in every attempt."""
        fixed = {"schema", "fingerprint", "partition", "photos_digest", "outcomes", "counts", "chips"}
        head = self.head.model_dump(mode="json", by_alias=True)
        canonical = json.dumps({key: head[key] for key in fixed}, sort_keys=True)
        return hashlib.sha256(canonical.encode() + b"\n" + self.moments.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the stored form: less than 100 kB of 128 dimensions, about 1 MB of 512."""
        return codec.encode(self.head, self.moments)

    @classmethod
    def from_bytes(cls, data: bytes) -> Commit:
        """Parse a commit; `DamagedRecord` for another schema version or damaged bytes."""
        return cls(*codec.decode(data, CommitHeader, "a commit record", SCHEMA))

    def agrees(self, outcomes: Counter[Outcome], faces: ExactSum) -> bool:
        """Tell whether a ledger with these outcomes and this sum of faces matches the commit."""
        return (Counter(self.head.outcomes), self.moments.total) == (outcomes, faces)

    def check(self, manifest: Manifest) -> None:
        """Raise `DamagedRecord`, which names the difference, if it is not of this manifest."""
        head, planned = self.head, len(manifest.partitions)
        if head.partition >= planned:
            raise DamagedRecord(f"commit of partition {head.partition}: the manifest has {planned} partitions")
        partition = manifest.partitions[head.partition]
        expected = {
            "fingerprint": (head.fingerprint, manifest.fingerprint),
            "photos": (head.photos_digest, partition.digest),
            "dimensions": (self.moments.dimensions, manifest.dimensions),
            "number of photos": (sum(head.outcomes.values()), partition.photos),
            "with a chip sum": (head.chips is not None, manifest.settings.face_pixels),
        }
        for what, (found, wanted) in expected.items():
            if found != wanted:
                raise DamagedRecord(f"commit of partition {head.partition}: {what} {found}, expected {wanted}")
