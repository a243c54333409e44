"""Compute the statistics of a run from one scan of its ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from meanface.results.scan import FaceScan, LedgerScan, at_most
from meanface.stats.duplicates import CLOSE, FACES_COMPARED, PhotoHashes, close_pairs
from meanface.stats.exact_sum import ExactSum
from meanface.stats.labels import label_statistics
from meanface.stats.models import CloseFaces, Duplicates, Estimate, IdenticalPhotos, Robust, Statistics
from meanface.stats.moments import FULL, Moments
from meanface.stats.robust import TRIMMED_FRACTION, geometric_median, trimmed_mean

NO_LABELS = "the run has no labels: set labels=parent_folder or top_folder, or label_column, to compare means by label"


def compute_statistics(
    moments: Moments, scanned: LedgerScan, names: Callable[[Iterable[int]], Mapping[int, str]], no_labels: str
) -> Statistics:
    """Statistics of a run with at least one face, from its moments and its whole ledger.

    `names` finds the names of photos by their positions in the run; `no_labels` says why there are
    no label statistics, if there are none.
    """
    missing: dict[str, str] = {}
    variances = _variances(moments, missing)
    if scanned.labels is None:
        missing["labels"] = no_labels
    return Statistics(
        variances=variances and variances[0].tolist(),
        labels=None if scanned.labels is None else label_statistics(scanned.labels),
        distances=scanned.faces and scanned.faces.distances(),
        robust=scanned.faces and _robust(scanned.faces, moments),
        duplicates=scanned.faces and _duplicates(scanned.faces, scanned.hashes, names, variances and variances[1]),
        missing=missing,
    )


def _variances(moments: Moments, missing: dict[str, str]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Variances along the principal axes, largest first, and the first axis."""
    if moments.count < 2:
        missing["variances"] = "the variance needs more than one face"
        return None
    if not moments.has_covariance:
        missing["variances"] = f"of {moments.dimensions:,} dimensions no covariance is kept, only of up to {FULL}"
        return None
    values, axes = np.linalg.eigh(moments.covariance())
    if values[-1] <= 0:
        missing["variances"] = "all faces have the same embedding"
        return None
    return np.maximum(values[::-1], 0.0), axes[:, -1]  # rounding makes some zeros negative


def _robust(faces: FaceScan, moments: Moments) -> Robust:
    """Robust centres of the sample, compared with the sample's own mean: its distance to the mean of all is noise."""
    sample = faces.sample().embeddings
    mean = moments.mean() if faces.step == 1 else ExactSum.of(sample).mean()
    trimmed = trimmed_mean(sample)
    median = geometric_median(sample, mean)

    def estimate(value: NDArray[np.float64], iterations: int = 0, *, converged: bool = True) -> Estimate:
        distance = float(np.sqrt(((value - mean) ** 2).sum()))
        return Estimate(value=value.tolist(), distance_to_mean=distance, iterations=iterations, converged=converged)

    return Robust(
        faces=len(sample),
        sample_step=faces.step,
        trimmed_fraction=TRIMMED_FRACTION,
        trimmed_mean=estimate(trimmed),
        geometric_median=estimate(median.point, median.iterations, converged=median.converged),
    )


def _duplicates(
    faces: FaceScan,
    hashes: PhotoHashes,
    names: Callable[[Iterable[int]], Mapping[int, str]],
    axis: NDArray[np.float64] | None,
) -> Duplicates:
    identical = hashes.identical()
    sample, positions, step = _one_of_identical(faces)
    found = close_pairs(sample, positions, np.eye(1, sample.shape[1])[0] if axis is None else axis)
    total, pairs = found or (None, [])
    near = [(int(positions[pair.first]), int(positions[pair.second]), pair.distance) for pair in pairs]
    wanted = [place for _, group in identical.largest for place in group]
    wanted += [place for pair in near for place in pair[:2]]
    named = names(wanted)
    return Duplicates(
        photos_compared=hashes.count,
        photos_step=hashes.step,
        identical_groups=identical.groups,
        identical_photos=identical.photos,
        identical=[
            IdenticalPhotos(photos=[named[place] for place in first], count=count) for count, first in identical.largest
        ],
        faces_compared=len(sample),
        faces_step=step * faces.step,
        threshold=CLOSE,
        close_pairs=total,
        close=[CloseFaces(photos=(named[i], named[j]), distance=distance) for i, j, distance in near],
    )


def _one_of_identical(faces: FaceScan) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """The sample without faces of photos whose bytes are those of an earlier photo, or one in so many of them.

    It compares the sample's own photos: of a large run, only a part of all photos' hashes are known.
    """
    sample = faces.sample()
    _, first, which = np.unique(sample.contents, return_index=True, return_inverse=True)
    kept = np.flatnonzero(sample.positions == sample.positions[first][which])
    step = max(1, -(-len(kept) // at_most(FACES_COMPARED, sample.embeddings.shape[1])))
    kept = kept[::step]
    return sample.embeddings[kept], sample.positions[kept], step
