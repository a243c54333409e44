"""What hangs on less than the tolerance is dlib's to decide."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from meanface.embedder.decode import Pixels
from meanface.embedder.detector import Detector, DlibDetector, usable_kernels

BEST = (usable_kernels() or ["avx2"])[0]


@pytest.fixture(scope="module")
def two_faces(portraits: list[Pixels]) -> Pixels:
    return np.concatenate([portraits[1][:400, :400], portraits[0][:400, 50:450]], axis=1)


def test_a_score_at_its_threshold_is_not_certain(open_native, two_faces: Pixels) -> None:
    detector = open_native(BEST)
    (first, *_), certain = detector.examine(two_faces)
    assert certain
    score = first[4]
    assert not detector.examine(two_faces, score - 1e-6)[1]
    assert not detector.examine(two_faces, score + 1e-6)[1]
    assert detector.examine(two_faces, score + 0.1)[1]


def test_the_order_of_two_faces_within_the_tolerance_is_not_certain(open_native, two_faces: Pixels) -> None:
    found, certain = open_native(BEST).examine(two_faces)
    assert certain
    first, second = found
    difference = first[4] - second[4]
    assert open_native(BEST, tolerance=difference * 0.9).examine(two_faces, difference - first[4])[1] is False
    assert not open_native(BEST, tolerance=difference * 1.01).examine(two_faces)[1]


def test_windows_of_equal_scores_are_not_certain(open_native) -> None:
    """In a black picture every window of a filter has the same score, and which one stays is a matter of order."""
    black = np.zeros((100, 120, 3), np.uint8)
    found, _ = open_native(BEST).examine(black, -5)
    assert found
    assert len({face[4] for face in found}) < len(found)
    assert not open_native(BEST).examine(black, -5)[1]
    assert open_native(BEST, tolerance=0).examine(black, -5)[1]


def test_uncertain_photos_are_passed_to_dlib(
    open_native, dlib_detector: DlibDetector, boxes: Callable[[Detector, Pixels], list], two_faces: Pixels
) -> None:
    doubtful = open_native(BEST, tolerance=100.0)
    assert boxes(doubtful, two_faces) == boxes(dlib_detector, two_faces)
    assert doubtful.handed_over == 1
    sure = open_native(BEST)
    assert boxes(sure, two_faces) == boxes(dlib_detector, two_faces)
    assert sure.handed_over == 0


def test_a_photo_with_a_huge_side_is_passed_to_dlib(open_native, dlib_detector: DlibDetector) -> None:
    detector = open_native(BEST)
    assert detector.find(np.zeros((1, 2**15 + 1, 3), np.uint8)) == []
    assert detector.handed_over == 1
    assert detector.find(np.zeros((1, 2**15, 3), np.uint8)) == []
    assert detector.handed_over == 1


def test_a_wrong_coarse_scan_is_detected(open_native, two_faces: Pixels) -> None:
    """Coarse filters of zeros say 0 for every window; with a margin that keeps all, the faces are much better."""
    from meanface.embedder.detector import weights

    open_native(BEST)
    loaded = weights.cached(BEST)
    detector = loaded._replace(coarse=np.zeros_like(loaded.coarse)).detector(BEST)
    found, certain = detector.find(two_faces, adjust=0.0, margin=5.0, tolerance=2e-5)
    assert len(found) == 2
    assert not certain
