"""The statistics of a run: surveyed from its ledger, computed, and named where they cannot be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray

from meanface.errors import DamagedRecord
from meanface.ledger.manifest import Partition
from meanface.ledger.reader import chunk_at, chunks, photo_names
from meanface.outcome import Outcome
from meanface.results.scan import Failure, Survey
from meanface.stats.duplicates import CLOSE, FACES_COMPARED, close_pairs
from meanface.stats.exact_sum import ExactSum
from meanface.stats.labels import label_statistics
from meanface.stats.models import CloseFaces, Duplicates, Estimate, FaceAt, IdenticalPhotos, Robust, Statistics
from meanface.stats.moments import Moments
from meanface.stats.robust import TRIMMED_FRACTION, geometric_median, trimmed_mean
from meanface.storage.files import Storage

NO_LABELS = "the run has no labels: set labels=parent_folder or top_folder to compare the means of folders"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Study:
    """Statistics, and what else the survey saw that the report tells."""

    statistics: Statistics
    failures: Mapping[Outcome, Sequence[Failure]] = field(default_factory=dict)
    """the first failed photos of each outcome"""

    def faces(self) -> list[FaceAt]:
        """Those that are shown: nearest and farthest."""
        distances = self.statistics.distances
        shown = [*distances.nearest, *distances.farthest] if distances else []
        return sorted({face.at for face in shown})


def study(
    files: Storage,
    partitions: Sequence[Partition],
    moments: Moments,
    labels: Mapping[str, ExactSum] | None = None,
    no_labels: str = NO_LABELS,
) -> Study:
    """What can be said of a run with a face.

    A ledger that is damaged after the commit costs the figures that are drawn from it, not the result.

    Parameters
    ----------
    files
        of the plan
    partitions
        all of the run's, in order
    moments
        of all faces
    labels
        the exact sum of each label's faces, where there are labels
    no_labels
        why, where there are none
    """
    missing: dict[str, str] = {}
    variances = _variances(moments, missing)
    known = {"variances": variances and variances[0].tolist(), "labels": label_statistics(labels) if labels else None}
    if labels is None:
        missing["labels"] = no_labels
    survey = Survey(moments.mean(), moments.count)
    try:
        for partition in partitions:
            for chunk in chunks(files, partition):
                survey.add(chunk)
        survey.check()
        known["duplicates"] = _duplicates(files, partitions, survey, variances[1] if variances else None)
    except DamagedRecord as damage:
        log.warning("the report lacks what is drawn from the ledger", reason=str(damage))
        missing |= dict.fromkeys(("distances", "robust", "duplicates", "failures"), str(damage))
        return Study(Statistics(**known, missing=missing))
    known |= {"distances": survey.distances(), "robust": _robust(survey, moments)}
    return Study(Statistics(**known, missing=missing), survey.failures)


def _variances(moments: Moments, missing: dict[str, str]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Variances along the principal axes, largest first, and the first axis."""
    if moments.count < 2:
        missing["variances"] = "one face says nothing about how faces vary"
        return None
    values, axes = np.linalg.eigh(moments.covariance())
    if values[-1] <= 0:
        missing["variances"] = "all faces have the same embedding"
        return None
    return np.maximum(values[::-1], 0.0), axes[:, -1]  # rounding makes some zeros negative


def _robust(survey: Survey, moments: Moments) -> Robust:
    """Of the sample, and against the sample's own mean: what separates that from the mean of all faces is noise."""
    sample = survey.sample().embeddings
    mean = moments.mean() if survey.step == 1 else ExactSum.of(sample).mean()
    trimmed = trimmed_mean(sample)
    median = geometric_median(sample, mean)

    def estimate(value: NDArray[np.float64], iterations: int = 0, *, converged: bool = True) -> Estimate:
        distance = float(np.sqrt(((value - mean) ** 2).sum()))
        return Estimate(value=value.tolist(), distance_to_mean=distance, iterations=iterations, converged=converged)

    return Robust(
        faces=len(sample),
        sample_step=survey.step,
        trimmed_fraction=TRIMMED_FRACTION,
        trimmed_mean=estimate(trimmed),
        geometric_median=estimate(median.point, median.iterations, converged=median.converged),
    )


def _duplicates(
    files: Storage, partitions: Sequence[Partition], survey: Survey, axis: NDArray[np.float64] | None
) -> Duplicates:
    identical = survey.hashes.identical()
    sample, positions, step = _one_of_identical(survey)
    found = close_pairs(sample, positions, np.eye(1, sample.shape[1])[0] if axis is None else axis)
    total, pairs = found or (None, [])
    near = [(int(positions[pair.first]), int(positions[pair.second]), pair.distance) for pair in pairs]
    wanted = [place for _, group in identical.largest for place in group]
    wanted += [place for pair in near for place in pair[:2]]
    names = photo_names(wanted, partitions, lambda partition, number: chunk_at(files, partition, number))
    return Duplicates(
        photos_compared=survey.hashes.count,
        photos_step=survey.hashes.step,
        identical_groups=identical.groups,
        identical_photos=identical.photos,
        identical=[
            IdenticalPhotos(photos=[names[place] for place in first], count=count) for count, first in identical.largest
        ],
        faces_compared=len(sample),
        faces_step=step * survey.step,
        threshold=CLOSE,
        close_pairs=total,
        close=[CloseFaces(photos=(names[i], names[j]), distance=distance) for i, j, distance in near],
    )


def _one_of_identical(survey: Survey) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """The sample without faces of photos whose bytes are those of an earlier photo, or one in so many of them.

    It goes by the sample's own photos: of a large run, only a part of all photos' hashes are known.
    """
    sample = survey.sample()
    _, first, which = np.unique(sample.contents, return_index=True, return_inverse=True)
    kept = np.flatnonzero(sample.positions == sample.positions[first][which])
    step = max(1, -(-len(kept) // FACES_COMPARED))
    kept = kept[::step]
    return sample.embeddings[kept], sample.positions[kept], step
