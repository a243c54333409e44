"""dlib's frontal face detector in vectorised C++: the same boxes in the same order, faster.

Scores are sums of floats; the order of additions changes them by about 1e-6 (`native/` says what
else is exact). Where a difference below `TOLERANCE` would decide about a box, the order, or the
rounding of a score, dlib's own detector finds the faces of the photo. So boxes and rounded scores
equal dlib's, as long as scores are within the tolerance; decision 9 in docs/decisions says what is
proved and what is measured.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from meanface.embedder import _native
from meanface.embedder.detector import weights
from meanface.embedder.detector.dlib import SCORE_DIGITS, UPSAMPLE, DlibDetector, Found, rounded

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

TOLERANCE = 2e-5
"""Uncertainty of a score; ten times the largest difference found between this detector and dlib."""

MARGIN = 1.25
"""How much lower than its score a window's coarse score may be; about twice the largest
difference found. If a detection needed half of it, the photo goes to dlib, too."""


class NativeDetector:
    """Detector with one of `usable_kernels()`, for one thread at a time; it lets other threads run.

    `exhaustive` computes the exact score of every window, without the coarse scan; tests compare
    it.
    """

    def __init__(
        self,
        kernels: str,
        cache: str | None = None,
        *,
        upsample: int = UPSAMPLE,
        exhaustive: bool = False,
        tolerance: float = TOLERANCE,
    ) -> None:
        self._detector = weights.cached(kernels, cache).detector(kernels, upsample)
        self._upsample = upsample
        self.name = f"native-{self._detector.name}"
        self._margin, self._tolerance = math.inf if exhaustive else MARGIN, tolerance
        self.handed_over = 0
        """number of photos passed to dlib"""

    @cached_property
    def _dlib(self) -> DlibDetector:
        return DlibDetector(self._upsample)  # loads in a third of a second, and most processes never need it

    def find(self, photo: Pixels) -> list[Found]:
        """The faces, by falling score."""
        import dlib

        faces, certain = self.examine(photo)
        if certain and all(_certain_rounding(face[4], self._tolerance) for face in faces):
            return [Found(dlib.rectangle(*face[:4]), rounded(face[4])) for face in faces]
        self.handed_over += 1
        return self._dlib.find(photo)

    def examine(self, photo: Pixels, adjust: float = 0.0) -> tuple[list[_native.Found], bool]:
        """The faces with unrounded scores, and whether dlib certainly finds the same boxes.

        `adjust` is added to every threshold.
        """
        whole = np.ascontiguousarray(photo)
        found, certain = self._detector.find(whole, adjust=adjust, margin=self._margin, tolerance=self._tolerance)
        return list(found), certain


def _certain_rounding(score: float, tolerance: float) -> bool:
    """Whether all scores within the tolerance are rounded to the same.

    >>> [_certain_rounding(score, 2e-5) for score in (1.2345, 1.23499, 1.23501)]
    [True, False, False]
    """
    return round(score - tolerance, SCORE_DIGITS) == round(score + tolerance, SCORE_DIGITS)
