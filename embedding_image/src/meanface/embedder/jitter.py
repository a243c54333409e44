"""dlib's jitter: slightly moved, enlarged, turned and mirrored copies of a chip, embedded and averaged.

dlib draws the numbers that decide them from a generator that each network object keeps: with
`face_recognition`, a face's embedding depends on all faces that were jittered before it. Here each
face gets the copies that dlib makes of the first face of a process. So a face's embedding depends
on its chip alone, and is the one that `face_recognition` has for its first face.

The numbers are `dlib::rand`'s with its default seed, in the order in which dlib's Linux wheels draw
them (C++ leaves the order of a function's arguments open; there, a copy's shift down is drawn before
its shift to the right). dlib itself cuts the copies out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.dlib_models import DIMENSIONS
from meanface.stats.chip_sum import CHIP_SIZE, Chip

AT_ONCE = 16
"""copies that the network embeds together"""

SEED, DISCARDED = 5489, 10_000
"""`dlib::rand` without a seed: the Mersenne twister's usual one, and the numbers it drops first"""

_SIDE = CHIP_SIZE - 2 * 3
"""dlib measures a chip without 3 pixels on each side."""
_CENTRE = CHIP_SIZE // 2
_SHIFT, _SMALLEST, _LARGEST, _DEGREES = 0.02, 0.97, 0.99999, 3.0


class Copy(NamedTuple):
    """Where a copy lies in its chip."""

    left: int
    top: int
    side: int
    angle: float
    """in radians"""
    mirrored: bool


@cache
def copies(count: int) -> list[Copy]:
    """The first copies of a fresh `dlib::rand`.

    >>> copies(2)[0] == copies(1)[0]
    True
    >>> [copy.mirrored for copy in copies(5)]
    [False, True, False, True, False]
    """
    found = []
    numbers = _numbers(5 * count)
    for down, right, size, turn, mirror in zip(*[iter(numbers)] * 5, strict=True):
        side = int(_SIDE / _between(_SMALLEST, _LARGEST, size))
        x, y = (_CENTRE + math.floor(_between(-_SHIFT, _SHIFT, number) * _SIDE + 0.5) for number in (right, down))
        angle = _between(-_DEGREES, _DEGREES, turn) * math.pi / 180
        found.append(Copy(x - side // 2, y - side // 2, side, angle, mirror > 0.5))
    return found


def jitter(chip: Chip, count: int) -> Iterator[Chip]:
    """Make copies of a chip."""
    import dlib

    size = dlib.chip_dims(CHIP_SIZE, CHIP_SIZE)
    for left, top, side, angle, mirrored in copies(count):
        place = dlib.rectangle(left, top, left + side - 1, top + side - 1)
        copy: Chip = dlib.extract_image_chip(chip, dlib.chip_details(place, size, angle))
        yield copy[:, ::-1] if mirrored else copy


def jittered(chip: Chip, count: int, embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean embedding of a chip's copies: added in their order as float64, rounded once to float32."""
    total = np.zeros(DIMENSIONS)
    made = jitter(chip, count)
    while some := list(islice(made, AT_ONCE)):
        for embedding in embed(np.stack(some)):
            total += embedding
    return (total / count).astype(np.float32)


def _between(low: float, high: float, number: float) -> float:
    return low + number * (high - low)


def _numbers(count: int) -> list[float]:
    """Numbers below 1 from `dlib::rand::get_random_double`: the lower 24 bits of two draws each."""
    source = np.random.RandomState(SEED)  # NumPy keeps its numbers for ever
    source.bytes(4 * DISCARDED)
    high, low = (np.frombuffer(source.bytes(8 * count), "<u4") & 0xFFFFFF).reshape(-1, 2).T.astype(np.float64)
    largest = float(0xFFFFFF) * 0x1000000 + 0xFFFFFF + 0.05
    return [float(number) for number in (high * 0x1000000 + low) / largest]
