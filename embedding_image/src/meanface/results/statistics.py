"""Compute the statistics of a run from one scan of its ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.ledger.chunk import Chunk
from meanface.results.duplicates import find_duplicates
from meanface.results.label_study import LabelStudy, study_labels
from meanface.results.scan import FaceScan, LedgerScan
from meanface.stats.exact_sum import ExactSum
from meanface.stats.labels import label_statistics
from meanface.stats.models import Estimate, Robust, Statistics
from meanface.stats.moments import Moments
from meanface.stats.robust import TRIMMED_FRACTION, geometric_median, trimmed_mean

NO_LABELS = "the run has no labels: set labels=parent_folder or top_folder, or label_column, to compare means by label"


class Computed(NamedTuple):
    """The statistics of a run, and what its templates are made of."""

    statistics: Statistics
    labels: LabelStudy | None
    """None without labels"""


def compute_statistics(
    moments: Moments,
    scanned: LedgerScan,
    names: Callable[[Iterable[int]], Mapping[int, str]],
    no_labels: str,
    chunks: Callable[[], Iterator[Chunk]],
    threshold: float | None = None,
) -> Computed:
    """Statistics of a run with at least one face, from its moments and its whole ledger.

    Parameters
    ----------
    moments, scanned
        of the run
    names
        finds the names of photos by their positions in the run
    no_labels
        says why there are no label statistics, if there are none
    chunks
        reads the ledger again
    threshold
        the embedder's customary one, if there is one
    """
    missing: dict[str, str] = {}
    variances, faces = _variances(moments, missing), scanned.faces
    found = None if faces is None else find_duplicates(faces, scanned.hashes, variances and variances[1])
    study = None
    if scanned.labels is None or faces is None or found is None:
        missing["labels"] = no_labels
    else:
        study = study_labels(scanned.labels, faces, found, chunks, threshold)
        missing |= {"recognition": study.why_not} if study.why_not else {}
    statistics = Statistics(
        variances=variances and variances[0].tolist(),
        labels=None if scanned.labels is None else label_statistics(scanned.labels),
        distances=faces and faces.distances(),
        robust=faces and _robust(faces, moments),
        duplicates=found and found.record(names),
        recognition=study and study.recognition,
        checks=study and study.checks.summary(),
        missing=missing,
    )
    return Computed(statistics, study)


def _variances(moments: Moments, missing: dict[str, str]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Variances along the principal axes, largest first, and the first axis."""
    if moments.count < 2:
        missing["variances"] = "the variance needs more than one face"
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
