"""dlib's frontal face detector again, in C++ with vector instructions: the same boxes in the same order, sooner.

Scores are sums of floats, and another order of additions leaves differences of some 1e-6 (`native/` says what else is
exact). So whatever hangs on less than `TOLERANCE` is not decided here, nor which hundredth a score is rounded to: the
photo goes to dlib. That makes boxes and rounded scores dlib's by construction, as far as scores are as near as that;
decision 9 in docs/decisions says what is proved and what is measured.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from meanface.embedder.detector import _native, weights
from meanface.embedder.detector.dlib import SCORE_DIGITS, DlibDetector, Found, rounded

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

TOLERANCE = 2e-5
"""Differences of scores that decide nothing; ten times what was found between this detector and dlib."""

MARGIN = 1.25
"""How much lower than a window's score its coarse score may be without losing it; about three times what was found.
A detection that needed half of it sends the photo to dlib, too."""


class NativeDetector:
    """For one thread at a time; others may run while it works.

    Parameters
    ----------
    kernels
        one of `usable_kernels()`
    cache
        folder of the derived weights; the user's cache folder if not given
    exhaustive
        give every window its exact score, without the coarse scan: what tests compare with
    tolerance
        differences of scores that decide nothing
    """

    def __init__(
        self, kernels: str, cache: str | None = None, *, exhaustive: bool = False, tolerance: float = TOLERANCE
    ) -> None:
        loaded = weights.cached(kernels, cache)
        self._detector = _native.Detector(kernels, **loaded.arrays(), overlap=loaded.overlap)
        self._margin, self._tolerance = math.inf if exhaustive else MARGIN, tolerance
        self.handed_over = 0
        """photos that dlib was asked about"""

    @property
    def name(self) -> str:
        """For people."""
        return f"native-{self._detector.name}"

    @cached_property
    def _dlib(self) -> DlibDetector:
        return DlibDetector()  # takes a third of a second, and most processes never need it

    def find(self, photo: Pixels) -> list[Found]:
        """The faces, by falling score."""
        import dlib

        faces, certain = self.examine(photo)
        if certain and all(_rounds_surely(face[4], self._tolerance) for face in faces):
            return [Found(dlib.rectangle(*face[:4]), rounded(face[4])) for face in faces]
        self.handed_over += 1
        return self._dlib.find(photo)

    def examine(self, photo: Pixels, adjust: float = 0.0) -> tuple[list[_native.Found], bool]:
        """The faces with their unrounded scores, and whether dlib is certain to find the same boxes.

        Parameters
        ----------
        photo
            (rows, columns, 3)
        adjust
            added to every threshold
        """
        whole = np.ascontiguousarray(photo)
        found, certain = self._detector.find(whole, adjust=adjust, margin=self._margin, tolerance=self._tolerance)
        return list(found), certain


def _rounds_surely(score: float, tolerance: float) -> bool:
    """Whether every score that is as near as the tolerance is rounded to the same.

    >>> _rounds_surely(1.2345, 2e-5), _rounds_surely(1.23499, 2e-5), _rounds_surely(1.23501, 2e-5)
    (True, False, False)
    """
    return round(score - tolerance, SCORE_DIGITS) == round(score + tolerance, SCORE_DIGITS)
