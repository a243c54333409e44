"""What a result says beyond the mean: figures that the survey of the ledger gives, each of them optional.

They are written into `result.json` under `statistics`. What could not be had is named in `missing`, with the reason.
Distances are Euclidean, between embeddings or means of embeddings.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from meanface.storage.record import Record


class FaceAt(NamedTuple):
    """A face of a run, by place."""

    position: int
    """of its photo among all photos of the run"""
    face: int
    """in the detector's order"""


class FaceDistance(Record):
    """How far one face is from the mean."""

    position: int
    face: int
    photo: str
    label: str | None
    distance: float

    @property
    def at(self) -> FaceAt:
        """Its place."""
        return FaceAt(self.position, self.face)


class Distances(Record):
    """Distribution of the faces' distances to the mean."""

    bin_width: float
    counts: list[int]
    """faces in [i * bin_width, (i + 1) * bin_width), up to the last bin that is not empty"""
    beyond: int
    """faces farther away than any bin"""
    minimum: float
    maximum: float
    nearest: list[FaceDistance]
    farthest: list[FaceDistance]
    """most distant first"""

    def quantile(self, fraction: float) -> float:
        """The distance that a fraction of the faces does not exceed, to the width of a bin."""
        wanted, seen = fraction * (sum(self.counts) + self.beyond), 0
        for index, count in enumerate(self.counts):
            if count and seen + count >= wanted:
                place = (index + (wanted - seen) / count) * self.bin_width
                return min(max(place, self.minimum), self.maximum)
            seen += count
        return self.maximum

    def fraction_within(self, distance: float) -> float:
        """The fraction of the faces that are no farther away, to the width of a bin."""
        if not self.minimum <= distance < self.maximum:
            return float(distance >= self.maximum)
        full, part = divmod(distance / self.bin_width, 1)
        counts = [*self.counts, 0]
        inside = sum(counts[: int(full)]) + part * counts[min(int(full), len(self.counts))]
        return float(inside / (sum(self.counts) + self.beyond))


class Estimate(Record):
    """Another centre of the embeddings."""

    value: list[float]
    """128 components"""
    distance_to_mean: float
    """to that of the same faces, which are a sample where `Robust.sample_step` is not 1"""
    converged: bool = True
    iterations: int = 0
    """0 where none are needed"""


class Robust(Record):
    """Centres that outlying faces can hardly move, and how they were computed; see `meanface.stats.robust`."""

    faces: int
    """of the sample"""
    sample_step: int
    """one of so many consecutive faces, drawn at random, is in the sample; 1 where all are"""
    trimmed_fraction: float
    """of each component's values, cut off at either side"""
    trimmed_mean: Estimate
    geometric_median: Estimate


class LabelDistance(Record):
    """How far the mean of one label's faces is from the label-balanced mean."""

    label: str
    faces: int
    distance: float


class LabelPair(Record):
    """Two labels whose means are close."""

    labels: tuple[str, str]
    distance: float


class LabelStatistics(Record):
    """Means by label, against each other and against the plain mean."""

    labels: int
    largest: int
    """faces of the label with most"""
    balanced_mean: list[float]
    """mean of the labels' means: exact, rounded once"""
    distance_to_mean: float
    """of the balanced mean to the plain one"""
    cluster_standard_error: list[float] | None
    """of each component of the plain mean, taking labels as independent and not faces; null for one label"""
    distance_quantiles: dict[str, float]
    """of the labels' means to the balanced mean: name of the quantile -> distance"""
    nearest: list[LabelDistance]
    farthest: list[LabelDistance]
    closest_pairs: list[LabelPair] | None
    """null where there are too many labels to compare each with each"""


class IdenticalPhotos(Record):
    """Photos with the same bytes."""

    photos: list[str]
    """names, the first ones"""
    count: int


class CloseFaces(Record):
    """Two faces of photos with different bytes that are all but equal."""

    photos: tuple[str, str]
    distance: float


class Duplicates(Record):
    """Photos that seem to be there more than once."""

    photos_compared: int
    photos_step: int
    """one in so many photos, by the hash of its bytes, was compared; 1 where all were"""
    identical_groups: int
    identical_photos: int
    """all photos of these groups"""
    identical: list[IdenticalPhotos]
    """the largest groups"""
    faces_compared: int
    """of identical photos, those of one"""
    faces_step: int = 1
    """one in so many faces was compared; 1 where all were"""
    threshold: float
    close_pairs: int | None
    """pairs of faces no farther apart than `threshold`; null for more than can be told of"""
    close: list[CloseFaces]
    """the closest ones"""


class Statistics(Record):
    """All of it."""

    variances: list[float] | None = None
    """eigenvalues of the covariance, largest first"""
    distances: Distances | None = None
    robust: Robust | None = None
    labels: LabelStatistics | None = None
    duplicates: Duplicates | None = None
    missing: dict[str, str] = Field(default_factory=dict)
    """name of a figure that could not be had -> why"""
