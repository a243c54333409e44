"""The input of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meanface.outcome import Outcome
from meanface.results.result import Result, Throughput
from meanface.results.scan import Failure
from meanface.stats.models import FaceAt
from meanface.stats.moments import Moments


@dataclass(frozen=True)
class Material:
    """A result, and what else the report shows."""

    result: Result
    moments: Moments
    failures: Mapping[Outcome, Sequence[Failure]] = field(default_factory=dict)
    """the first failed photos of each outcome"""
    throughput: Sequence[Throughput] = ()
    """by partition"""
    mean_face: bytes | None = None
    """PNG of 150 x 150 pixels"""
    thumbnails: Mapping[FaceAt, bytes] = field(default_factory=dict)
    """JPEG of the aligned nearest and farthest faces; some may be missing"""
