"""Statistics of a result beyond the mean, each of them optional.

They are the field `statistics` of `result.json`; `missing` names what could not be computed, and
why. Distances are Euclidean, between embeddings or means of embeddings.
"""

from __future__ import annotations

from pydantic import Field

from meanface.stats.recognition_models import FaceAt, LabelChecks, Recognition
from meanface.storage.record import Record

__all__ = ["FaceAt", "LabelChecks", "Recognition"]


class FaceDistance(Record):
    """Distance of one face to the mean."""

    position: int
    face: int
    photo: str
    label: str | None
    distance: float

    @property
    def at(self) -> FaceAt:
        """Identity of the face."""
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
        """The fraction of the faces within a distance; exact to the width of a bin."""
        if not self.minimum <= distance < self.maximum:
            return float(distance >= self.maximum)
        full, part = divmod(distance / self.bin_width, 1)
        counts = [*self.counts, 0]
        inside = sum(counts[: int(full)]) + part * counts[min(int(full), len(self.counts))]
        return float(inside / (sum(self.counts) + self.beyond))


class Estimate(Record):
    """A robust centre of the embeddings."""

    value: list[float]
    """128 components"""
    distance_to_mean: float
    """to the mean of the same faces, which are a sample unless `Robust.sample_step` is 1"""
    converged: bool = True
    iterations: int = 0
    """0 for what is not iterative"""


class Robust(Record):
    """Robust centres and how they were computed; see `meanface.stats.robust`."""

    faces: int
    """of the sample"""
    sample_step: int
    """one random face of each this many consecutive ones is in the sample; 1 if all are"""
    trimmed_fraction: float
    """of each component's values, left out at each end"""
    trimmed_mean: Estimate
    geometric_median: Estimate


class LabelDistance(Record):
    """Distance of the mean of one label's faces to the label-balanced mean."""

    label: str
    faces: int
    distance: float


class LabelPair(Record):
    """Two labels whose means are close."""

    labels: tuple[str, str]
    distance: float


class LabelStatistics(Record):
    """Means by label, compared with each other and with the plain mean."""

    labels: int
    largest: int
    """faces of the largest label"""
    balanced_mean: list[float]
    """mean of the labels' means: exact, rounded once"""
    distance_to_mean: float
    """of the balanced mean to the plain one"""
    cluster_standard_error: list[float] | None
    """of each component of the plain mean, with labels independent, not faces; null for one
    label"""
    distance_quantiles: dict[str, float]
    """name of a quantile -> distance of the labels' means to the balanced mean"""
    nearest: list[LabelDistance]
    farthest: list[LabelDistance]
    closest_pairs: list[LabelPair] | None
    """null if there are too many labels to compare all pairs"""


class IdenticalPhotos(Record):
    """Photos with the same bytes."""

    photos: list[str]
    """names of the first ones"""
    count: int


class CloseFaces(Record):
    """Two almost equal faces of photos with different bytes."""

    photos: tuple[str, str]
    distance: float


class Duplicates(Record):
    """Photos that seem to be in the dataset more than once."""

    photos_compared: int
    photos_step: int
    """one in this many photos, by the hash of its bytes, was compared; 1 if all were"""
    identical_groups: int
    identical_photos: int
    """number of photos in these groups"""
    identical: list[IdenticalPhotos]
    """the largest groups"""
    faces_compared: int
    """with identical photos counted once"""
    faces_step: int = 1
    """one in this many faces was compared; 1 if all were"""
    threshold: float
    close_pairs: int | None
    """pairs of faces no farther apart than `threshold`; null for too many"""
    close: list[CloseFaces]
    """the closest ones"""


class Statistics(Record):
    """All statistics of a result beyond the mean."""

    variances: list[float] | None = None
    """eigenvalues of the covariance, largest first"""
    distances: Distances | None = None
    robust: Robust | None = None
    labels: LabelStatistics | None = None
    duplicates: Duplicates | None = None
    recognition: Recognition | None = None
    checks: LabelChecks | None = None
    missing: dict[str, str] = Field(default_factory=dict)
    """name of a statistic that could not be computed -> reason"""
