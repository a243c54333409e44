"""The numbers of dlib's detector, landmarks and network, as one file that needs no dlib to be read.

Derived once from what the installed packages bring, into a cache, like the converted network (`meanface.model`).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

DERIVATION = 1
"""Counts up with every change of what is derived."""

POINTS = 5


class Landmarks(NamedTuple):
    """dlib's shape predictor: cascades of regression trees, all of one depth."""

    initial: Float32
    """(points, 2): where it starts, in the box's unit square"""
    anchors: NDArray[np.int64]
    """(cascades, pixels): the point that each looked-at pixel is near"""
    deltas: Float32
    """(cascades, pixels, 2): from there to the pixel"""
    pixels: NDArray[np.int64]
    """(cascades, trees, splits, 2): which two pixels' difference each split asks for"""
    thresholds: Float32
    """(cascades, trees, splits)"""
    leaves: Float32
    """(cascades, trees, leaves, points, 2): what is added to the shape"""


class Weights(NamedTuple):
    """All that is learnt."""

    filters: NDArray[np.float64]
    """(filters, channels, rows, columns)"""
    thresholds: NDArray[np.float64]
    limits: NDArray[np.float64]
    """largest overlaps of two detections, as parts of the box around both, and of either"""
    landmarks: Landmarks
    convolutions: list[tuple[Float32, Float32, int]]
    """filters, biases, stride"""
    matrix: Float32
    """(256, 128)"""


def cached(folder: str | None = None) -> Weights:
    """The weights from the cache, the user's own if not given; derived and put there at the first call."""
    import platformdirs

    from meanface.model import WEIGHTS_SHA256
    from meanface.storage import Storage

    home = Path(folder) if folder else platformdirs.user_cache_path("meanface")
    name = f"dlib_tensors-{WEIGHTS_SHA256[:12]}-{DERIVATION}.npz"
    if not (home / name).exists():
        Storage(os.fspath(home)).write(name, packed(derive()))
    return load(home / name)


def derive() -> Weights:
    """All weights, from the packages `dlib` and `face_recognition_models`.

    Raises
    ------
    DamagedRecord
        if they bring others than those that this package knows
    """
    from meanface import model
    from meanface.detector.saved import parse, saved

    filters, thresholds, limits = parse(saved())
    convolutions, matrix = model.layers(model.weights_path().read_bytes())
    return Weights(
        filters,
        thresholds,
        limits,
        parse_landmarks(model.landmarks_path().read_bytes()),
        [(layer.filters, layer.biases, layer.stride) for layer in convolutions],
        matrix,
    )


def parse_landmarks(data: bytes) -> Landmarks:
    """The numbers in dlib's file of a shape predictor: version, first shape, trees, then the pixels they look at.

    Raises
    ------
    DamagedRecord
        for a version other than 1
    """
    from meanface.detector.saved import integers
    from meanface.errors import DamagedRecord

    numbers = integers(data)
    if next(numbers) != 1:
        raise DamagedRecord("dlib's landmarks have an unknown version")
    initial = _matrix(numbers).reshape(-1, 2)
    pixels, thresholds, leaves = [], [], []
    cascades = next(numbers)
    for _ in range(cascades):
        for _ in range(next(numbers)):
            splits = [(next(numbers), next(numbers), _float(numbers)) for _ in range(next(numbers))]
            pixels.append([split[:2] for split in splits])
            thresholds.append([split[2] for split in splits])
            leaves.append([_matrix(numbers) for _ in range(next(numbers))])
    anchors = [list(islice(numbers, next(numbers))) for _ in range(next(numbers))]
    deltas = [[(_float(numbers), _float(numbers)) for _ in range(next(numbers))] for _ in range(next(numbers))]
    trees = len(pixels) // cascades
    return Landmarks(
        initial,
        np.array(anchors, np.int64),
        np.array(deltas, np.float32),
        np.array(pixels, np.int64).reshape(cascades, trees, -1, 2),
        np.array(thresholds, np.float32).reshape(cascades, trees, -1),
        np.array(leaves, np.float32).reshape(cascades, trees, -1, *initial.shape),
    )


def _float(numbers: Iterator[int]) -> float:
    """Mantissa, exponent."""
    mantissa, exponent = next(numbers), next(numbers)
    return float(np.ldexp(float(mantissa), exponent))


def _matrix(numbers: Iterator[int]) -> Float32:
    """Its sizes, negative; then its elements."""
    rows, columns = -next(numbers), -next(numbers)
    return np.array([_float(numbers) for _ in range(rows * columns)], np.float32)


def packed(weights: Weights) -> bytes:
    """The weights as an npz file."""
    arrays: dict[str, Any] = {
        "filters": weights.filters,
        "thresholds": weights.thresholds,
        "limits": weights.limits,
        "matrix": weights.matrix,
        **{f"landmarks_{name}": array for name, array in weights.landmarks._asdict().items()},
    }
    for i, (filters, biases, stride) in enumerate(weights.convolutions):
        arrays |= {f"filters_{i}": filters, f"biases_{i}": biases, f"stride_{i}": np.array(stride)}
    output = io.BytesIO()
    np.savez_compressed(output, allow_pickle=False, **arrays)
    return output.getvalue()


def load(path: Path) -> Weights:
    """The weights in a file that `packed` made."""
    with np.load(path, allow_pickle=False) as arrays:
        count = sum(name.startswith("stride_") for name in arrays)
        return Weights(
            arrays["filters"],
            arrays["thresholds"],
            arrays["limits"],
            Landmarks(*(arrays[f"landmarks_{name}"] for name in Landmarks._fields)),
            [(arrays[f"filters_{i}"], arrays[f"biases_{i}"], int(arrays[f"stride_{i}"])) for i in range(count)],
            arrays["matrix"],
        )
