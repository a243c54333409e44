"""Align a face by its points: the transform to those of a template, and the picture that it gives; pure.

The transform is a similarity, which fits all five points best, or the affine one that brings the
first three (both eyes and the nose) exactly to their places.

The similarity is Umeyama's (1991, IEEE PAMI 13:376) in the plane, where it has a closed form: with
both sets of points centred, s and d, it turns and scales by (sum of s.d, sum of s x d) / sum of
s.s. It is rounded where `FaceRecognizerSF::alignCrop` of OpenCV 4 rounds: centred points and their
products are float32, and the template's centre has four decimal places.

The picture has the pixels of OpenCV 4's `warpAffine` with INTER_LINEAR: places are multiples of
1/32 of a pixel, each value is interpolated between four of the photo in integers, and everything
beyond the photo is black. So it has the same bits on every CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

FRACTION = 10
"""bits of a place's fraction while it is computed"""
PLACES = 5
"""bits that remain: between two pixels lie 32 places"""
PARTS = 1 << PLACES

TEMPLATES: dict[str, tuple[tuple[float, float], ...]] = {
    "arcface_112": (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    )
}
"""Points of aligned faces: the eye at the left, the other eye, the nose, both corners of the mouth."""


def similarity(points: Float, template: Float) -> Float:
    """The similarity from points of a photo to those of a template, float64[2, 3].

    ValueError if all points of the photo are the same.

    >>> similarity(np.array([[0.0, 0], [2, 0]]), np.array([[1.0, 1], [1, 5]])).round(6).tolist()
    [[0.0, -2.0, 1.0], [2.0, 0.0, 1.0]]
    """
    given = points.astype(np.float32)
    centre = sum(given, np.zeros(2, np.float32)) / np.float32(len(given))
    other = template.mean(axis=0).round(4).astype(np.float32)
    source, target = given - centre, template.astype(np.float32) - other
    size = _total(source * source)
    if not size:
        raise ValueError("all points of the face are the same")
    along = _total(source * target) / size
    across = (_total(source[:, 0] * target[:, 1]) - _total(source[:, 1] * target[:, 0])) / size
    turn = np.array([[along, -across], [across, along]])
    return np.column_stack([turn, other.astype(np.float64) - turn @ centre.astype(np.float64)])


def affine(points: Float, template: Float) -> Float:
    """The affine transform that brings three points of a photo to those of a template, float64[2, 3].

    As OpenCV's `getAffineTransform`, it takes both as float32. ValueError if the photo's lie on one line.

    >>> affine(np.array([[0.0, 0], [2, 0], [0, 1]]), np.array([[1.0, 1], [1, 5], [4, 1]])).tolist()
    [[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]]
    """
    given, wanted = (three[:3].astype(np.float32).astype(np.float64) for three in (points, template))
    (a, b), (c, d) = (given[1:] - given[0]).tolist()
    area = a * d - b * c
    if not area:
        raise ValueError("both eyes and the nose of the face lie on one line")
    turn = (wanted[1:] - wanted[0]).T @ np.array([[d, -b], [-c, a]]).T / area
    return np.column_stack([turn, wanted[0] - turn @ given[0]])


def _total(products: NDArray[np.float32]) -> float:
    return math.fsum(products.ravel().tolist())


def warped(photo: NDArray[np.uint8], matrix: Float, width: int, height: int) -> NDArray[np.uint8]:
    """The part of a photo that a transform brings into a picture of this size; uint8[height, width, 3].

    ValueError if the transform has no inverse.
    """
    (across, down), (along_x, along_y) = _steps(matrix, width, height)
    x, y = (along + start[:, None] >> FRACTION - PLACES for along, start in ((along_x, across), (along_y, down)))
    column, row = x >> PLACES, y >> PLACES
    right, lower = ((place & PARTS - 1)[..., None] for place in (x, y))
    rows, columns = photo.shape[:2]

    def at(further_down: int, further_right: int) -> NDArray[np.int64]:
        there, beside = row + further_down, column + further_right
        inside = (there >= 0) & (there < rows) & (beside >= 0) & (beside < columns)
        values = photo[there.clip(0, rows - 1), beside.clip(0, columns - 1)]
        colours: Int = values.astype(np.int64) * inside[..., None]
        return colours

    upper = at(0, 0) * (PARTS - right) + at(0, 1) * right
    below = at(1, 0) * (PARTS - right) + at(1, 1) * right
    values = upper * (PARTS - lower) + below * lower
    picture: NDArray[np.uint8] = (values + PARTS * PARTS // 2 >> 2 * PLACES).astype(np.uint8)
    return picture


def _steps(matrix: Float, width: int, height: int) -> tuple[tuple[Int, Int], tuple[Int, Int]]:
    """Where the picture's rows start in the photo, and the steps along them: x and y in 2^-FRACTION pixels."""
    (a, b, c), (d, e, f) = matrix.tolist()
    area = a * e - b * d
    if not area:
        raise ValueError("no transform brings the points of the face to those of the template")
    scale = 1 / area
    a, b, d, e = e * scale, -b * scale, -d * scale, a * scale
    c, f = -a * c - b * f, -d * c - e * f
    columns, rows, unit = np.arange(width), np.arange(height), float(1 << FRACTION)
    half = 1 << FRACTION - PLACES - 1
    start_x, start_y = (_rounded((step * rows + offset) * unit) + half for step, offset in ((b, c), (e, f)))
    return (start_x, start_y), (_rounded(a * columns * unit), _rounded(d * columns * unit))


def _rounded(values: Float) -> Int:
    """Nearest integers, as far as 32 bits hold them."""
    return np.rint(values).clip(-(2**31), 2**31 - 1).astype(np.int64)


def five_points(landmarks: Sequence[tuple[float, float]]) -> Float:
    """Five points from the 68 of dlib: the middles of both eyes, the nose's tip, the mouth's corners."""
    points = np.array(landmarks, np.float64)
    if points.shape != (68, 2):
        raise ValueError(f"{len(points)} landmarks: five points are made of 68")
    return np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])
