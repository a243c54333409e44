"""A face is aligned by the similarity that fits best, or by three points, with OpenCV's pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laws import examples
from meanface.embedder.models.alignment import TEMPLATES, affine, five_points, similarity, warped

TEMPLATE = np.array(TEMPLATES["arcface_112"])
LAWS = settings(deadline=None, max_examples=examples(60))

similarities = st.builds(
    lambda angle, scale, x, y: np.array(
        [
            [scale * math.cos(angle), -scale * math.sin(angle), x],
            [scale * math.sin(angle), scale * math.cos(angle), y],
        ]
    ),
    st.floats(-math.pi, math.pi),
    st.floats(0.05, 20),
    st.floats(-500, 500),
    st.floats(-500, 500),
)


def photo(seed: int = 0, rows: int = 90, columns: int = 120) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), np.uint8)


@LAWS
@given(similarities)
def test_the_similarity_of_points_that_were_moved_is_the_movement(moved: np.ndarray) -> None:
    points = TEMPLATE @ moved[:, :2].T + moved[:, 2]
    back = similarity(points, TEMPLATE)
    np.testing.assert_allclose(points @ back[:, :2].T + back[:, 2], TEMPLATE, atol=0.02)


@LAWS
@given(st.lists(st.tuples(st.floats(-300, 900), st.floats(-300, 900)), min_size=5, max_size=5))
def test_no_turn_or_scale_fits_better(points: list[tuple[float, float]]) -> None:
    """Least squares: the error has no slope at the similarity that was found."""
    given = np.array(points)
    if np.ptp(given, axis=0).max() < 1:
        return
    best = similarity(given, TEMPLATE)

    def error(matrix: np.ndarray) -> float:
        return float(((given @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE) ** 2).sum())

    centre, other = given.mean(axis=0), TEMPLATE.mean(axis=0)
    for along, across in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)):
        turn = best[:, :2] + np.array([[along, -across], [across, along]])
        assert error(best) <= error(np.column_stack([turn, other - turn @ centre])) + 1e-3


def test_equal_points_have_no_similarity() -> None:
    with pytest.raises(ValueError, match="all points of the face are the same"):
        similarity(np.full((5, 2), 7.0), TEMPLATE)


three = st.lists(st.tuples(st.floats(-300, 900), st.floats(-300, 900)), min_size=3, max_size=3)


@LAWS
@given(three)
def test_eyes_and_nose_come_to_their_places_as_with_opencv(points: list[tuple[float, float]]) -> None:
    given = np.array(points, np.float32)
    (a, b), (c, d) = given[1:].astype(float) - given[0]
    if abs(a * d - b * c) < 10:
        return
    matrix = affine(np.array([*points, (0, 0), (0, 0)]), TEMPLATE)
    np.testing.assert_allclose(given @ matrix[:, :2].T + matrix[:, 2], TEMPLATE[:3], atol=1e-4)
    expected = cv2.getAffineTransform(given, TEMPLATE[:3].astype(np.float32))
    np.testing.assert_allclose(matrix, expected, rtol=1e-6, atol=1e-6)


def test_eyes_and_a_nose_on_one_line_have_no_affine_transform() -> None:
    with pytest.raises(ValueError, match="both eyes and the nose of the face lie on one line"):
        affine(np.array([[1.0, 1], [2, 2], [3, 3], [0, 9], [9, 0]]), TEMPLATE)


@LAWS
@given(similarities, st.integers(0, 3))
def test_pixels_are_those_of_opencv(matrix: np.ndarray, seed: int) -> None:
    assert cv2.__version__.startswith("4."), "version 5 interpolates in another way"
    picture = photo(seed)
    expected = cv2.warpAffine(picture, matrix, (112, 96), flags=cv2.INTER_LINEAR)
    assert np.array_equal(warped(picture, matrix, 112, 96), expected)


def test_beyond_the_photo_everything_is_black() -> None:
    away = np.array([[1.0, 0, 1e9], [0, 1, -1e9]])
    assert not warped(photo(), away, 112, 112).any()


def test_a_photo_that_stays_where_it_is() -> None:
    picture = photo()
    assert np.array_equal(warped(picture, np.eye(2, 3), 120, 90), picture)


def test_five_points_of_68_landmarks() -> None:
    landmarks = [(float(number), float(2 * number)) for number in range(68)]
    assert five_points(landmarks).tolist() == [[38.5, 77.0], [44.5, 89.0], [30.0, 60.0], [48.0, 96.0], [54.0, 108.0]]
    with pytest.raises(ValueError, match="5 landmarks"):
        five_points(landmarks[:5])
