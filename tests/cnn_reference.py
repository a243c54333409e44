"""dlib's CNN detector in NumPy and float64, step by step, to compare the native one with."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dlib
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from meanface.embedder.detector.cnn_file import WINDOW, CnnWeights

if TYPE_CHECKING:
    from meanface.embedder.decode import Pixels

PADDING, OUTER_PADDING = 10, 11
"""pixels between the levels of the pyramid, and around all of them"""

SMALLEST = 5
"""rows of the last level"""

UNSIGNED = 2**64
"""dlib compares sizes as unsigned numbers, in which a negative difference is a large one."""


@dataclass(frozen=True)
class Level:
    """Where a level of the pyramid lies in the tiled image."""

    left: int
    top: int
    width: int
    height: int

    def of(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return image[self.top : self.top + self.height, self.left : self.left + self.width]

    def overlaps(self, other: Level) -> bool:
        across = self.left < other.left + other.width and other.left < self.left + self.width
        return across and self.top < other.top + other.height and other.top < self.top + self.height


def sizes(rows: int, columns: int) -> list[tuple[int, int]]:
    """Rows and columns of the levels: each has five sixths of the one before."""
    found = [(rows, columns)]
    while True:
        rows, columns = int(np.floor(5.0 / 6.0 * rows)), int(np.floor(5.0 / 6.0 * columns))
        if rows * columns == 0 or rows < SMALLEST:
            return found
        found.append((rows, columns))


def tiling(rows: int, columns: int) -> tuple[list[Level], int, int]:
    """Places of the levels, and rows and columns of the tiled image.

    Levels go down a first column, then up a second one to the right of it, for as long as they do
    not meet the first level.
    """
    levels = sizes(rows, columns)
    total = sum(height + PADDING for height, _ in levels) - 2 * PADDING
    height, before = 0, 0
    for level_rows, level_columns in levels:
        beside = level_columns <= (columns - before - PADDING) % UNSIGNED
        if beside and (height - rows) * 2 % UNSIGNED >= (total - rows) % UNSIGNED:
            break
        height += level_rows + PADDING
        before = level_columns
    height -= PADDING
    placed, y, rest = [], OUTER_PADDING, list(levels)
    while rest and y < height + OUTER_PADDING:
        level_rows, level_columns = rest.pop(0)
        placed.append(Level(OUTER_PADDING, y, level_columns, level_rows))
        y += level_rows + PADDING
    y -= PADDING
    for level_rows, level_columns in rest:
        level = Level(OUTER_PADDING + columns - level_columns, y - level_rows, level_columns, level_rows)
        if level.overlaps(placed[0]):
            break
        placed.append(level)
        y -= level_rows + PADDING
    return placed, height + 2 * OUTER_PADDING, columns + 2 * OUTER_PADDING


def upsampled(photo: Pixels, times: int) -> Pixels:
    for _ in range(times):
        rows, columns = photo.shape[:2]
        photo = dlib.resize_image(
            np.ascontiguousarray(photo), round_half_up((rows - 0.25) * 2) + 1, round_half_up((columns + 0.25) * 2) + 1
        )
    return photo


def round_half_up(value: float) -> int:
    return int(np.floor(value + 0.5))


def tiled(photo: Pixels, weights: CnnWeights) -> tuple[NDArray[np.float32], list[Level]]:
    """The pyramid as one image of floats (row, column, colour), with zeros between levels.

    A level is resized from where the one before lies: of a photo of few pixels, levels overlap.
    (Not if they follow each other: then dlib reads what it is overwriting.)
    """
    places, rows, columns = tiling(*photo.shape[:2])
    image = np.zeros((rows, columns, 3), np.float32)
    places[0].of(image)[:] = (photo.astype(np.float32) - weights.mean) / np.float32(256)
    for before, place in itertools.pairwise(places):
        planes = [np.ascontiguousarray(before.of(image)[..., colour]) for colour in range(3)]
        resized = [dlib.resize_image(plane, place.height, place.width) for plane in planes]
        place.of(image)[:] = np.stack(resized, axis=2)
    return image, places


def scores(image: NDArray[np.float32], weights: CnnWeights) -> NDArray[np.float64]:
    """The output of the network (row, column)."""
    values = image.astype(np.float64)
    for layer in weights.layers:
        side, pad = layer.filters.shape[2], layer.padding
        values = np.pad(values, ((pad, pad), (pad, pad), (0, 0)))
        windows = sliding_window_view(values, (side, side), axis=(0, 1))[:: layer.stride, :: layer.stride]
        values = np.tensordot(windows, layer.filters.astype(np.float64), axes=((2, 3, 4), (1, 2, 3))) + layer.biases
        if layer is not weights.layers[-1]:
            values = np.maximum(values, 0)
    return values[..., 0]


Box = tuple[int, int, int, int]


def box(row: int, column: int, places: list[Level], times: int) -> Box:
    """The box of an output in the photo: left, top, right, bottom."""
    x, y = 8 * column + 14, 8 * row + 14
    near = [nearness(place, x, y) for place in places]
    number = int(np.argmin(near))
    place = places[number]
    half = (WINDOW - 1) / 2
    edges = [x - half - place.left, y - half - place.top, x + half - place.left, y + half - place.top]
    for _ in range(number):
        edges = [edge * 1.2 + 0.3 for edge in edges]
    edges = [away_from_zero(edge) for edge in edges]
    for _ in range(times):
        edges = [edge / 2 - offset for edge, offset in zip(edges, (1.25, 0.75) * 2, strict=True)]
    left, top, right, bottom = map(away_from_zero, edges)
    return left, top, right, bottom


def away_from_zero(value: float) -> int:
    return int(np.copysign(np.floor(abs(value) + 0.5), value))


def nearness(place: Level, x: int, y: int) -> float:
    across = max(place.left - x, x - (place.left + place.width - 1), 0)
    down = max(place.top - y, y - (place.top + place.height - 1), 0)
    return float(across**2 + down**2)


def find(photo: Pixels, weights: CnnWeights, times: int = 1) -> list[tuple[Box, float]]:
    """Boxes and scores, before suppression, by falling score."""
    image, places = tiled(upsampled(photo, times), weights)
    output = scores(image, weights)
    rows, columns = np.nonzero(output > 0)
    found: list[Any] = [
        (box(int(r), int(c), places, times), float(output[r, c])) for r, c in zip(rows, columns, strict=True)
    ]
    return sorted(found, key=lambda face: -face[1])
