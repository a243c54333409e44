"""What the report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from meanface.moments import Moments
from meanface.outcome import Outcome
from meanface.result import Result
from meanface.statistics import FaceAt
from meanface.survey import Failure


class Throughput(NamedTuple):
    """How one partition was embedded."""

    partition: int
    photos: int
    computed: int
    """photos that were embedded in the attempt that was committed, and not read back from a ledger"""
    seconds: float
    """of that attempt"""

    @property
    def rate(self) -> float | None:
        """Photos per second; None where nothing was computed."""
        return self.computed / self.seconds if self.computed and self.seconds else None


@dataclass(frozen=True)
class Material:
    """A result, and what it does not hold itself."""

    result: Result
    moments: Moments
    failures: Mapping[Outcome, Sequence[Failure]] = field(default_factory=dict)
    """the first failed photos of each outcome"""
    throughput: Sequence[Throughput] = ()
    """by partition"""
    mean_face: bytes | None = None
    """PNG of 150 x 150 pixels"""
    thumbnails: Mapping[FaceAt, bytes] = field(default_factory=dict)
    """JPEG of the aligned faces that are shown"""
