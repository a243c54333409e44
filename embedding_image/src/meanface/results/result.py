"""What a run leaves: the mean and everything that is needed to trust and repeat it."""

from __future__ import annotations

import io
import json
import platform
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from meanface.dataset.refs import PassedOver
from meanface.outcome import Outcome
from meanface.stats.models import Statistics
from meanface.stats.moments import Moments
from meanface.storage.record import Record

SCHEMA = 1

PACKAGES = (
    "meanface",
    "dlib-bin",
    "dlib",
    "face_recognition",
    "face_recognition_models",
    "numpy",
    "onnxruntime",
    "pillow",
)


class Figures(Record):
    """What is known of some photos: counts, the mean, and its spread."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    photos: int
    outcomes: dict[Outcome, int]
    """name -> photos, every outcome named"""
    photos_with_face: int
    faces: int
    mean: list[float]
    """128 float64, the exact mean of the float32 embeddings, rounded once"""
    mean_normalized: list[float] | None
    """the mean divided by its Euclidean norm; null if that is zero"""
    standard_error: list[float] | None
    """of each component of the mean, taking faces as independent; null for one face"""

    def to_json(self) -> str:
        """JSON text for programs and people, who find the long lists at its end."""
        fields = self.model_dump(mode="json", by_alias=True)
        ordered = sorted(fields.items(), key=lambda field: field[0] in _VECTORS)
        return json.dumps(dict(ordered), indent=1, ensure_ascii=False)


_VECTORS = {"mean", "mean_normalized", "standard_error", "statistics"}


def figures(outcomes: Counter[Outcome], moments: Moments) -> dict[str, Any]:
    """The fields of `Figures`, of photos with a face among them."""
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
    """How many photos say in their EXIF orientation that their pixels are turned or mirrored."""

    turned: int
    """photos whose orientation is 2 to 8; set upright unless `exif_orientation` is off"""
    turned_without_face: int
    """those of them in which no face was found, or none that counts"""


class PartitionCounts(Record):
    """How much of a run's work was done before."""

    total: int
    reused: int
    """partitions whose whole ledger was taken from earlier runs"""


class SeriesSummary(Record):
    """What a run's series came to when the run was reduced."""

    name: str
    interval: str
    """the run's own"""
    intervals: int
    """how many there are"""
    photos: int
    faces: int
    mean: list[float]
    location: str
    """the folder or bucket prefix of the series"""


class Result(Figures):
    """`result.json`; also kept in the store. Numbers are written so that reading them gives the same bits."""

    run: str
    dataset: str
    recipe: str
    fingerprint: str
    partitions: PartitionCounts
    photos_reused: int = 0
    """photos whose outcome and embeddings were taken from earlier runs, or earlier plans of this one"""
    series: SeriesSummary | None
    settings: dict[str, Any]
    versions: dict[str, str]
    artifacts: dict[str, str]
    """name -> file, relative to `location`"""
    location: str
    """the folder or bucket prefix that holds the artifacts"""
    faces_found: int = 0
    """by the detector; `faces` is how many of them were embedded"""
    faces_left_out: dict[str, int] = Field(default_factory=dict)
    """why a found face does not count -> faces; `min_face`, `min_score`, and then `policy`, the setting `faces`"""
    orientation: OrientationCounts = OrientationCounts(turned=0, turned_without_face=0)
    passed_over: list[PassedOver] = Field(default_factory=list)
    """files of the dataset that were not read as photos, by kind"""
    account: list[str] = Field(default_factory=list)
    """files passed over, photos turned and faces left out, in sentences; what is zero is not named"""
    warnings: list[str]
    timings: dict[str, float]
    """seconds"""
    statistics: Statistics | None = None
    """what the ledger says beyond the mean; in `result.json` only, and not in the store"""

    @property
    def failed(self) -> int:
        """Photos that say nothing about their faces."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.failed)


def mean_npy(moments: Moments) -> bytes:
    """`mean.npy`: float64 (128,)."""
    return _npy(moments.mean())


def moments_npz(moments: Moments) -> bytes:
    """`moments.npz`: count, mean (128,), covariance (128, 128), standard_error (128,), `exact` (the integers).

    `Moments.from_bytes(exact.tobytes())` gives back what can be merged with other runs without rounding.
    """
    output = io.BytesIO()
    arrays: dict[str, Any] = {
        "count": np.int64(moments.count),
        "mean": moments.mean(),
        "exact": np.frombuffer(moments.to_bytes(), np.uint8),
    }
    if moments.count > 1:
        arrays |= {"covariance": moments.covariance(), "standard_error": moments.standard_error()}
    np.savez_compressed(output, allow_pickle=False, **arrays)
    return output.getvalue()


def versions(detector: str) -> dict[str, str]:
    """Versions of everything that has a say in the numbers, as they are here, and who finds, or found, the faces."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # dlib comes from one of two distributions
            continue
    return found | {"detector": detector}


def _npy(array: NDArray[np.float64]) -> bytes:
    output = io.BytesIO()
    np.save(output, array, allow_pickle=False)
    return output.getvalue()


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
