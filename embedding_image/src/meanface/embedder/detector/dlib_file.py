"""dlib's frontal face detector as numbers, read from the file that dlib saves.

After a header that fixes cell, window and pyramid, the file has the two limits of suppression and
the five filters: 31 planes of 10 x 10 weights, and a threshold.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.errors import DamagedRecord

SAVED_SHA256 = "f3f7aa833fb4a14a46fc48689f45b98d85ef72d6dfaf8bdc012b7d3c522a5426"
"""of the detector's file, as dlib saves it"""

FILTERS, CHANNELS, WINDOW = 5, 31, 10

_HEADER = 14
"""integers before the limits"""


class Filters(NamedTuple):
    """The numbers of dlib's detector."""

    weights: NDArray[np.float64]
    """(filters, channels, rows, columns)"""
    thresholds: NDArray[np.float64]
    limits: NDArray[np.float64]
    """largest overlaps of two detections, as fractions of the box around both, and of either"""


class Reader:
    """Cursor over numbers in dlib's serialisation."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data, self._position = data, position

    def integers(self, count: int) -> list[int]:
        """Integers: a byte (low nibble: byte count, high bit: sign), then little-endian bytes."""
        numbers = []
        for _ in range(count):
            control, start = self._data[self._position], self._position + 1
            self._position = start + (control & 0x0F)
            value = int.from_bytes(self._data[start : self._position], "little")
            numbers.append(-value if control & 0x80 else value)
        return numbers

    def doubles(self, count: int) -> NDArray[np.float64]:
        """Floating point numbers, each an integer mantissa and a binary exponent."""
        parts = np.array(self.integers(2 * count), np.int64).reshape(count, 2)
        return np.ldexp(parts[:, 0].astype(np.float64), parts[:, 1])

    def floats(self, count: int) -> NDArray[np.float32]:
        """Raw float32."""
        values = np.frombuffer(self._data, "<f4", count, self._position)
        self._position += values.nbytes
        return values


def saved() -> bytes:
    """The detector's file, as the installed dlib saves it."""
    import dlib

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "detector")
        dlib.get_frontal_face_detector().save(os.fspath(path))
        return path.read_bytes()


def parse(data: bytes) -> Filters:
    """The numbers in the detector's file; DamagedRecord for any other file than the known one."""
    found = hashlib.sha256(data).hexdigest()
    if found != SAVED_SHA256:
        raise DamagedRecord(
            f"dlib's frontal face detector has SHA-256 {found}, expected {SAVED_SHA256}: "
            "set MEANFACE_KERNELS=dlib to use it as it is"
        )
    reader = Reader(data)
    reader.integers(_HEADER)
    limits = reader.doubles(2)
    reader.integers(1)  # the number of filters
    filters = np.empty((FILTERS, CHANNELS * WINDOW * WINDOW + 1))
    for row in filters:  # a filter's weights, then its threshold
        reader.integers(2)  # the shape
        row[:] = reader.doubles(len(row))
    return Filters(filters[:, :-1].reshape(FILTERS, CHANNELS, WINDOW, WINDOW), filters[:, -1].copy(), limits)
