"""The native detector's weights: dlib's filters, and a compressed form of them for the coarse scan.

The coarse scan sees 12 numbers of each cell instead of 31: the projection that keeps most of the
filters' responses. With W the filters' weights (a row for each cell of each filter) and M the
second moment of features, these are the first 12 right singular vectors of W sqrt(M), in the
features' own coordinates. M comes from the built-in sample photos. An error here costs time, or
detections if it exceeds `MARGIN` in `native.py`; it cannot change a score.
"""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.embedder import _native
from meanface.embedder.detector.dlib import UPSAMPLE, dlib_version
from meanface.embedder.detector.dlib_file import CHANNELS, FILTERS, SAVED_SHA256, WINDOW, parse, saved
from meanface.embedder.model_cache import cache_path, put
from meanface.errors import InfrastructureError

DERIVATION = 3
"""Raise it with every change of the derivation or of the sample: caches must not keep earlier
weights."""

CODES = 12
"""Numbers of a cell that the coarse scan sees, as in `native/geometry.hpp`."""

COLUMNS_SUMMED = 5
"""Columns of a window whose products are summed in 16 bits, as there."""

LARGEST_SUM = (2**15 - 1) // 127 - COLUMNS_SUMMED
"""of the positive or the negative weights of two codes in these columns. Rounding adds up to half a
unit to each."""


class Weights(NamedTuple):
    """Arrays that `native/model.hpp` explains; C order."""

    filters: NDArray[np.float32]
    """(filters, channels, rows, columns)"""
    thresholds: NDArray[np.float64]
    projection: NDArray[np.float32]
    """(codes, channels)"""
    coarse: NDArray[np.int8]
    """(filters, rows, columns, codes)"""
    units: NDArray[np.float32]
    """score of one unit of a coarse sum, by filter"""
    limits: NDArray[np.float64]
    """as `Filters.limits`"""

    def detector(self, kernels: str, upsample: int = UPSAMPLE) -> _native.Detector:
        """A native detector with these weights."""
        arrays: dict[str, Any] = self._asdict()
        limits = arrays.pop("limits").tolist()
        return _native.Detector(kernels, overlap=(limits[0], limits[1]), doublings=upsample, **arrays)


def cached(kernels: str, folder: str | None = None) -> Weights:
    """The weights from the cache; derived and put there if they are missing.

    A damaged or unrelated file is left as it is; then each process derives the weights, which takes
    a second. `kernels` compute features of the sample photos. DamagedRecord if the installed dlib
    has another detector than the known one.
    """
    # By dlib's version, as saving the detector to compare it takes a third of a second.
    name = f"dlib_frontal_face_detector-{dlib_version()}-{SAVED_SHA256[:12]}-{DERIVATION}.weights"
    path = cache_path(name, folder)
    try:
        return _unpacked(path.read_bytes())
    except (OSError, ValueError):
        derived = _derive(saved(), kernels)
    with suppress(InfrastructureError):
        if not put(path, _packed(derived)):
            _check(path)  # another process has put it there meanwhile, or it is damaged
    return derived


def _check(path: Path) -> None:
    """Warn if a file of the cache cannot be read."""
    try:
        _unpacked(path.read_bytes())
    except (OSError, ValueError):
        import structlog

        structlog.get_logger(__name__).warning("the detector's cache is damaged: remove the file", file=path)


def _derive(data: bytes, kernels: str) -> Weights:
    """All weights, from the detector's file."""
    filters, thresholds, limits = parse(data)
    blind = Weights(
        filters.astype(np.float32),
        thresholds,
        np.zeros((CODES, CHANNELS), np.float32),
        np.zeros((FILTERS, WINDOW, WINDOW, CODES), np.int8),
        np.ones(FILTERS, np.float32),
        limits,
    )
    features = _sample_features(blind.detector(kernels))
    projection, coarse, units = compressed(filters, features)
    return blind._replace(projection=projection, coarse=coarse, units=units)


def compressed(
    filters: NDArray[np.float64], features: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float32]]:
    """Projection, coarse filters and their units, for features of this distribution.

    A code is the rounded projection of a cell's features; projections of the given features reach
    +-63.
    """
    sample = features.astype(np.float64)
    values, vectors = np.linalg.eigh(sample.T @ sample / len(sample))
    values = np.maximum(values, values[-1] * 1e-6)  # features are dependent: some values are near 0
    root = (vectors * np.sqrt(values)) @ vectors.T
    cells = filters.transpose(0, 2, 3, 1).reshape(-1, CHANNELS)
    _, _, directions = np.linalg.svd(cells @ root, full_matrices=False)
    kept = directions[:CODES]
    projection = kept @ ((vectors / np.sqrt(values)) @ vectors.T)
    unit_of_code = np.abs(sample @ projection.T).max(axis=0) / 63
    coarse = (cells @ root @ kept.T * unit_of_code).reshape(FILTERS, WINDOW, WINDOW, CODES)
    pairs = coarse.reshape(FILTERS, WINDOW, -1, COLUMNS_SUMMED, CODES // 2, 2)
    sums = np.maximum(pairs.clip(0).sum(axis=(3, 5)), (-pairs).clip(0).sum(axis=(3, 5)))
    units = np.maximum(np.abs(coarse).max(axis=(1, 2, 3)) / 127, sums.max(axis=(1, 2, 3)) / LARGEST_SUM)
    rounded = np.rint(coarse / units[:, None, None, None]).astype(np.int8)
    return (projection / unit_of_code[:, None]).astype(np.float32), rounded, units.astype(np.float32)


def _sample_features(detector: _native.Detector) -> NDArray[np.float32]:
    """Features of all cells of the built-in photos, at all sizes."""
    from meanface.dataset import SAMPLE
    from meanface.embedder.decode import decode
    from meanface.settings import Settings

    settings = Settings(dataset="sample")
    photos = [decode(path.read_bytes(), settings).pixels for path in sorted(SAMPLE.glob("*/*"))]
    return np.concatenate([detector.features(photo) for photo in photos])


def _packed(weights: Weights) -> bytes:
    """SHA-256 of an npz file, then the file."""
    output = io.BytesIO()
    arrays: dict[str, Any] = weights._asdict()
    np.savez_compressed(output, allow_pickle=False, **arrays)
    return hashlib.sha256(output.getvalue()).digest() + output.getvalue()


def _unpacked(data: bytes) -> Weights:
    """Decode `_packed`; ValueError if any byte has changed."""
    digest, content = data[:32], data[32:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("the cached weights of the detector are damaged")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Weights(**arrays)
