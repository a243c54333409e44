"""The native detector's numbers: dlib's filters, and what the coarse scan makes of them.

The coarse scan sees 12 numbers of each cell instead of 31: the projection that keeps most of the filters' responses.
With W the filters' weights (a row for each cell of each filter) and M the second moment of features, these are the
first 12 right singular vectors of W sqrt(M), in the features' own coordinates. M comes from the built-in sample photos.
An error here costs time, or detections that `MARGIN` in `native.py` is there to keep; it cannot change a score.
"""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import platformdirs
from numpy.typing import NDArray

from meanface.embedder.detector import _native
from meanface.embedder.detector.dlib import dlib_version
from meanface.embedder.detector.dlib_file import CHANNELS, FILTERS, SAVED_SHA256, WINDOW, parse, saved
from meanface.errors import InfrastructureError

DERIVATION = 1
"""Counts up with every change of what is derived, so that no cache keeps what an earlier version made."""

CODES = 12
"""Numbers of a cell that the coarse scan sees; `native/geometry.hpp` has it, too."""


class Weights(NamedTuple):
    """What `native/model.hpp` explains; C order."""

    filters: NDArray[np.float32]
    """(filters, channels, rows, columns)"""
    thresholds: NDArray[np.float64]
    projection: NDArray[np.float32]
    """(codes, channels)"""
    coarse: NDArray[np.int8]
    """(filters, rows, columns, codes)"""
    units: NDArray[np.float32]
    """what one unit of a coarse sum is in score, by filter"""
    limits: NDArray[np.float64]
    """largest overlaps of two detections, as parts of the box around both, and of either"""

    @property
    def overlap(self) -> tuple[float, float]:
        """The limits as Python numbers."""
        return float(self.limits[0]), float(self.limits[1])

    def arrays(self) -> dict[str, Any]:
        """All but the limits, by name."""
        return {name: array for name, array in self._asdict().items() if name != "limits"}


def cached(kernels: str, folder: str | None = None) -> Weights:
    """The weights from the cache; derived and put there if they are missing.

    A file that is damaged, or something else, stays: then each process derives them anew, which takes a second.

    Parameters
    ----------
    kernels
        what computes the features of the sample photos
    folder
        of the cache; the user's own if not given

    Raises
    ------
    DamagedRecord
        if the installed dlib's detector is not the one that this module knows
    """
    home = Path(folder) if folder else platformdirs.user_cache_path("meanface")
    # dlib's version, as dlib saves its detector in a third of a second: of another one, it is read and compared again.
    name = f"dlib_frontal_face_detector-{dlib_version()}-{SAVED_SHA256[:12]}-{DERIVATION}.weights"
    try:
        return _unpacked((home / name).read_bytes())
    except (OSError, ValueError):
        derived = derive(saved(), kernels)
    from meanface.storage.files import Storage  # most processes find the file, and start without fsspec

    with suppress(InfrastructureError):
        if not Storage(os.fspath(home)).create(name, _packed(derived)):
            import structlog

            structlog.get_logger(__name__).warning("the cache of the detector is damaged: remove it", file=home / name)
    return derived


def derive(data: bytes, kernels: str) -> Weights:
    """All weights, from dlib's detector as dlib saves it.

    Raises
    ------
    DamagedRecord
        for any other detector than the one that this module knows
    """
    filters, thresholds, limits = parse(data)
    blind = Weights(
        filters.astype(np.float32),
        thresholds,
        np.zeros((CODES, CHANNELS), np.float32),
        np.zeros((FILTERS, WINDOW, WINDOW, CODES), np.int8),
        np.ones(FILTERS, np.float32),
        limits,
    )
    features = _sample_features(_native.Detector(kernels, **blind.arrays(), overlap=blind.overlap))
    projection, coarse, units = compressed(filters, features)
    return blind._replace(projection=projection, coarse=coarse, units=units)


def compressed(
    filters: NDArray[np.float64], features: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float32]]:
    """Projection, coarse filters and their units, for features as these are.

    A code is the projection of a cell's features, rounded; projections reach +-63 over the features given.
    """
    sample = features.astype(np.float64)
    values, vectors = np.linalg.eigh(sample.T @ sample / len(sample))
    values = np.maximum(values, values[-1] * 1e-6)  # features are not independent of each other: some are near zero
    root = (vectors * np.sqrt(values)) @ vectors.T
    cells = filters.transpose(0, 2, 3, 1).reshape(-1, CHANNELS)
    _, _, directions = np.linalg.svd(cells @ root, full_matrices=False)
    kept = directions[:CODES]
    projection = kept @ ((vectors / np.sqrt(values)) @ vectors.T)
    unit_of_code = np.abs(sample @ projection.T).max(axis=0) / 63
    coarse = (cells @ root @ kept.T * unit_of_code).reshape(FILTERS, WINDOW, WINDOW, CODES)
    units = np.abs(coarse).max(axis=(1, 2, 3)) / 127
    rounded = np.rint(coarse / units[:, None, None, None]).astype(np.int8)
    return (projection / unit_of_code[:, None]).astype(np.float32), rounded, units.astype(np.float32)


def _sample_features(detector: _native.Detector) -> NDArray[np.float32]:
    """Of all cells of the built-in photos, at all sizes."""
    from meanface.dataset import SAMPLE
    from meanface.embedder.decode import decode
    from meanface.settings import Settings

    settings = Settings(dataset="sample")
    photos = [decode(path.read_bytes(), settings).pixels for path in sorted(SAMPLE.glob("*/*"))]
    return np.concatenate([detector.features(photo) for photo in photos])


def _packed(weights: Weights) -> bytes:
    """A SHA-256, then an npz file that has it."""
    output = io.BytesIO()
    arrays: dict[str, Any] = weights._asdict()
    np.savez_compressed(output, allow_pickle=False, **arrays)
    return hashlib.sha256(output.getvalue()).digest() + output.getvalue()


def _unpacked(data: bytes) -> Weights:
    """The weights in what `_packed` made.

    Raises
    ------
    ValueError
        if any byte of it has changed
    """
    digest, content = data[:32], data[32:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("the cached weights of the detector are damaged")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Weights(**arrays)
