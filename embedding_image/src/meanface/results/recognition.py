"""How well the templates of a run recognise its own faces, each left out of its label."""

from __future__ import annotations

import numpy as np

from meanface.results.label_scan import LabelScan
from meanface.results.probes import Probes
from meanface.settings import EmbedderName
from meanface.stats.intervals import difference, rate
from meanface.stats.neighbours import Gallery, Others
from meanface.stats.recognition import Compared, at_threshold, curve, method, suggested_threshold
from meanface.stats.recognition_models import Method, Recognition

CUSTOMARY = {EmbedderName.DLIB: 0.6, EmbedderName.FACE_RECOGNITION: 0.6, EmbedderName.ONNX: 0.6}
"""dlib's own recommendation for two photos of one person"""


def customary_threshold(embedder: object) -> float | None:
    """The customary threshold of an embedder; None for one without."""
    return next((threshold for name, threshold in CUSTOMARY.items() if name == embedder), None)


def why_not(scan: LabelScan) -> str | None:
    """Why recognition cannot be tried, if it cannot."""
    if len(scan.labels) < 2:
        return "recognition needs at least two labels"
    if (scan.counts < 2).all():
        return "recognition needs a label with two faces: without a face, no other is left in its label"
    if np.isinf(scan.probe_distances).all():
        return "none of the faces that were drawn has another face in its label"
    return None


def recognition(scan: LabelScan, means: Others, threshold: float | None) -> Recognition:
    """Compare the probes with means, trimmed means and single photos.

    Parameters
    ----------
    scan
        of a run that `why_not` says nothing against
    means
        the probes, compared with the means of all labels
    threshold
        the customary one, if there is one
    """
    probes = scan.probes
    by_mean = Compared(probes.codes, scan.probe_distances, means)
    trimmed = Gallery(scan.trimmed).others(probes.embeddings, probes.codes, probes.trimmed_distances)
    by_trimmed = Compared(probes.codes, probes.trimmed_distances, trimmed)
    photo, photo_faces = _photos(probes, by_mean)
    suggested = suggested_threshold(by_mean)
    return Recognition(
        labels=len(scan.labels),
        labels_with_one_face=int(np.count_nonzero(scan.counts == 1)),
        faces=int(np.count_nonzero(by_mean.known)),
        sample_step=probes.step,
        photo_faces=photo_faces,
        mean=method(by_mean),
        trimmed=method(by_trimmed, by_mean),
        photo=photo,
        suggested=None if suggested is None else at_threshold(by_mean, suggested),
        customary=None if threshold is None else at_threshold(by_mean, threshold),
        curve=curve(by_mean),
    )


def _photos(probes: Probes, means: Compared) -> tuple[Method | None, int]:
    """Recognition by the nearest single photo, and the number of faces that were compared."""
    known = np.flatnonzero(np.isfinite(probes.own_photo))
    if not len(known):
        return None, 0
    right = probes.own_photo[known] < probes.other_photo[known]
    faces = probes.with_photos[known]
    labels = probes.codes[faces]
    found = Method(
        rank_1=rate(right, labels), rank_5=None, verification=None, better=difference(right, means.right[faces], labels)
    )
    return found, len(known)
