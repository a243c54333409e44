"""dlib's frontal face detector as numbers, read from what dlib itself saves.

The file is a row of integers (`_integers`); a double is two of them, mantissa and binary exponent. After a head that
fixes cell, window and pyramid come the two limits of suppression and the five filters: 31 planes of 10 x 10 weights,
and a threshold.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.errors import DamagedRecord

SAVED_SHA256 = "f3f7aa833fb4a14a46fc48689f45b98d85ef72d6dfaf8bdc012b7d3c522a5426"
"""Of dlib's detector, as dlib saves it."""

FILTERS, CHANNELS, WINDOW = 5, 31, 10

HEAD = (2, 1, 0, 0, 8, 0, 80, 80, 1000, 64, 64, 18, -1, CHANNELS * WINDOW * WINDOW)
"""Versions, no features, cells of 8 pixels, no padding, windows of 80 x 80, at most 1,000 levels of 64 x 64 or more, a
strength that only training uses (9, as a double), and the size of a filter."""


class Filters(NamedTuple):
    """All that dlib's detector is, beside its algorithm."""

    weights: NDArray[np.float64]
    """(filters, channels, rows, columns)"""
    thresholds: NDArray[np.float64]
    limits: NDArray[np.float64]
    """largest overlaps of two detections, as parts of the box around both, and of either"""


def saved() -> bytes:
    """dlib's detector as dlib saves it."""
    import dlib

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "detector")
        dlib.get_frontal_face_detector().save(os.fspath(path))
        return path.read_bytes()


def parse(data: bytes) -> Filters:
    """The numbers in what dlib saves.

    Raises
    ------
    DamagedRecord
        for any other detector than the one that this module knows
    """
    found = hashlib.sha256(data).hexdigest()
    if found != SAVED_SHA256:
        raise DamagedRecord(
            f"dlib's frontal face detector has SHA-256 {found}, expected {SAVED_SHA256}: "
            "set MEANFACE_DETECTOR=dlib to use it as it is"
        )
    numbers = _integers(data)
    head = tuple(islice(numbers, len(HEAD)))
    limits = _doubles(numbers, 2)
    count = next(numbers, None)
    if head != HEAD or count != FILTERS:
        raise DamagedRecord(f"dlib's detector begins with {head} and has {count} filters, expected {HEAD}, {FILTERS}")
    filters = np.stack([_filter(numbers) for _ in range(FILTERS)])
    planes = filters[:, :-1].reshape(FILTERS, CHANNELS, WINDOW, WINDOW)
    return Filters(planes, filters[:, -1].copy(), limits)


def _filter(numbers: Iterator[int]) -> NDArray[np.float64]:
    """A filter's weights, then its threshold."""
    size = CHANNELS * WINDOW * WINDOW + 1
    shape = tuple(islice(numbers, 2))  # negative: dlib's mark of a matrix
    if shape != (-size, -1):
        raise DamagedRecord(f"a filter of dlib's detector has the shape {shape}, expected {(-size, -1)}")
    return _doubles(numbers, size)


def _integers(data: bytes) -> Iterator[int]:
    """dlib's integers: a byte (low nibble: number of bytes, high bit: sign), then the bytes, little-endian."""
    position = 0
    while position < len(data):
        control = data[position]
        end = position + 1 + (control & 0x0F)
        value = int.from_bytes(data[position + 1 : end], "little")
        yield -value if control & 0x80 else value
        position = end


def _doubles(numbers: Iterator[int], count: int) -> NDArray[np.float64]:
    """dlib's floating point numbers: mantissa, exponent."""
    parts = np.array(list(islice(numbers, 2 * count)), np.int64).reshape(count, 2)
    return np.ldexp(parts[:, 0].astype(np.float64), parts[:, 1])
