"""Study the labels of a run: templates, how well they recognise, and labels to check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from meanface.ledger.chunk import Chunk
from meanface.results.duplicates import FoundDuplicates
from meanface.results.label_checks import Checks, check_labels, wanted_positions
from meanface.results.label_scan import LabelScan
from meanface.results.recognition import recognition, why_not
from meanface.results.scan import FaceScan
from meanface.stats.exact_sum import ExactSum
from meanface.stats.neighbours import Gallery
from meanface.stats.recognition_models import Recognition


class LabelStudy(NamedTuple):
    """What is known about the labels."""

    scan: LabelScan
    recognition: Recognition | None
    why_not: str
    """why there is no recognition; empty if there is"""
    checks: Checks


def study_labels(
    sums: dict[str, ExactSum],
    faces: FaceScan,
    duplicates: FoundDuplicates,
    chunks: Callable[[], Iterator[Chunk]],
    threshold: float | None,
) -> LabelStudy:
    """Study labels with these sums, at least one.

    Parameters
    ----------
    sums
        of each label's faces
    faces, duplicates
        of the run
    chunks
        reads the ledger again
    threshold
        the customary one of the embedder, if there is one
    """
    identical = duplicates.identical()
    scan = LabelScan(sums, faces, wanted_positions(identical, duplicates.pairs))
    scan.read(chunks)
    probes = scan.probes
    means = Gallery(scan.means).others(probes.embeddings, probes.codes, scan.probe_distances)
    reason = why_not(scan) or ""
    return LabelStudy(
        scan,
        None if reason else recognition(scan, means, threshold),
        reason,
        check_labels(scan, means, identical, duplicates.pairs),
    )
