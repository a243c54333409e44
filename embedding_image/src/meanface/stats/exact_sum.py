"""Exact sum of embeddings: the same bits for any order, partitioning or retry; pure.

Every finite float32 is an integer times 2^-149, the smallest positive one. For each component, an
`ExactSum` holds the sum of these integers as a Python integer, which neither rounds nor overflows.
Integer addition is associative and commutative, and its identity is 0, the sum of no embeddings. So
the sum depends on the embeddings alone, not on their order, on the partitions, or on which attempt
of a partition was kept.

The mean is one division of integers, sum / (count * 2^149), which Python rounds correctly (half to
even). Equal integers have equal quotients: the same float64, the one nearest to the true mean. A
zero is +0, as the integer of -0.0 is 0.

Embeddings of any dimension have a sum; sums of two dimensions cannot be added.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

MOST_DIMENSIONS = 4096
"""most components of an embedding"""
SUM_BITS = 149
"""sums count in units of 2^-149, the smallest positive float32"""
SLICE = 4096
"""embeddings added at a time: bounds memory, and the size of intermediate integers"""

_LIMB = 16  # bits; exponents are collected in classes of this width

Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ExactSum:
    """Number of embeddings and their exact sum.

    >>> third = np.full((1, 128), 1 / 3, dtype=np.float32)
    >>> huge = np.full((1, 128), 1e30, dtype=np.float32)
    >>> total = ExactSum.of(huge) + ExactSum.of(third) + ExactSum.of(-huge)
    >>> total.count, float(total.mean()[0]) * 3 == float(third[0, 0])
    (3, True)
    """

    count: int
    sums: tuple[int, ...]
    """the sum of each component, in units of 2^-149; empty in the sum of nothing"""

    @classmethod
    def zero(cls) -> ExactSum:
        """The sum of nothing, the identity of addition in every dimension."""
        return cls(0, ())

    @property
    def dimensions(self) -> int:
        """Components of an embedding; 0 for the sum of nothing."""
        return len(self.sums)

    @classmethod
    def of(cls, embeddings: NDArray[np.float32]) -> ExactSum:
        """Sum of the rows of float32[n, d]; n may be 0.

        ValueError for another shape or dtype, and for a component that is not finite; the message
        has its row and column.
        """
        check(embeddings)
        nothing = cls(0, (0,) * embeddings.shape[1])
        return cls.by_group(embeddings, [None] * len(embeddings)).get(None, nothing)

    @classmethod
    def by_group(cls, embeddings: NDArray[np.float32], groups: Sequence[Group]) -> dict[Group, ExactSum]:
        """Sum of the rows of each group, in the order in which groups first appear.

        `groups` has the group of each row, such as its label. ValueError as for `of`, and for
        another number of groups than rows.
        """
        check(embeddings)
        if len(groups) != len(embeddings):
            raise ValueError(f"{len(groups)} groups for {len(embeddings)} embeddings: each embedding needs one")
        sums: dict[Group, ExactSum] = {}
        for rows in slices(len(embeddings)):
            members: dict[Group, list[int]] = {}  # NumPy's unique strings drop trailing NULs
            for row in range(rows.start, rows.stop):
                members.setdefault(groups[row], []).append(row)
            order = np.array([row for group in members.values() for row in group])
            counts = [len(group) for group in members.values()]
            starts = np.cumsum([0, *counts[:-1]])
            totals = _integer_sums(embeddings[order], starts)
            for group, count, total in zip(members, counts, totals, strict=True):
                part = cls(count, tuple(total))
                sums[group] = sums[group] + part if group in sums else part
        return sums

    def __add__(self, other: ExactSum) -> ExactSum:
        return ExactSum(self.count + other.count, added(self.sums, other.sums))

    def mean(self) -> NDArray[np.float64]:
        """Correctly rounded mean of each component, float64[d]; ValueError without rows."""
        if not self.count:
            raise ValueError("no embedding: the mean is undefined")
        divisor = self.count << SUM_BITS
        return np.array([total / divisor for total in self.sums])


def added(sums: tuple[int, ...], others: tuple[int, ...]) -> tuple[int, ...]:
    """Add sums by component; an empty tuple is the sum of nothing. ValueError for two dimensions."""
    if not (sums and others):
        return sums or others
    if len(sums) != len(others):
        raise ValueError(f"embeddings of {len(sums)} and of {len(others)} dimensions have no common sum")
    return tuple(map(add, sums, others))


def norm(vector: NDArray[np.float64]) -> float:
    """Euclidean norm; `math.fsum` makes it independent of order and machine."""
    return math.sqrt(math.fsum((vector * vector).tolist()))


def slices(rows: int) -> Iterator[slice]:
    """Slices of at most `SLICE` rows."""
    return (slice(start, min(start + SLICE, rows)) for start in range(0, rows, SLICE))


def check(embeddings: NDArray[Any]) -> None:
    """Raise ValueError unless embeddings are finite float32[n, d], with d up to `MOST_DIMENSIONS`."""
    whole = embeddings.ndim == 2 and 1 <= embeddings.shape[1] <= MOST_DIMENSIONS
    if not whole or embeddings.dtype != np.float32:
        raise ValueError(
            f"embeddings must be float32[n, d], d from 1 to {MOST_DIMENSIONS:,}, not "
            f"{embeddings.dtype}{list(embeddings.shape)}"
        )
    for rows in slices(len(embeddings)):
        wrong = np.argwhere(~np.isfinite(embeddings[rows]))
        if len(wrong):
            row, column = (int(place) for place in wrong[0])
            value = embeddings[rows][row, column]
            raise ValueError(f"embedding {rows.start + row} has {value} in column {column}: it must be finite")


def _integer_sums(embeddings: NDArray[np.float32], starts: NDArray[np.intp]) -> list[list[int]]:
    """Exact sums of groups of consecutive rows, in units of 2^-149; groups begin at `starts`.

    A float32 is a 24-bit integer shifted left by 0 to 253 bits. Integers whose shifts differ in the
    lowest 4 bits only are added in int64: there are at most `SLICE` = 2^12 of them, 24 + 15 bits
    wide, so their sum stays below 2^51. Python's integers apply the rest of the shift, which they
    share. The floats are read as bits and never computed with, so a processor that flushes
    subnormals to zero does no harm.
    """
    bits = np.ascontiguousarray(embeddings).view(np.uint32)
    exponent = (bits >> 23) & 0xFF
    integer = ((bits & 0x7FFFFF) | ((exponent > 0).astype(np.uint32) << 23)).astype(np.int64)
    np.negative(integer, out=integer, where=bits >> 31 == 1)
    limb, shift = np.divmod(np.maximum(exponent, 1) - 1, np.uint32(_LIMB))
    integer <<= shift
    total = np.zeros((len(starts), embeddings.shape[1]), dtype=object)
    for present in np.flatnonzero(np.bincount(limb.ravel())).tolist():
        part = np.add.reduceat(np.where(limb == present, integer, 0), starts, axis=0)
        total += part.astype(object) << _LIMB * present
    sums: list[list[int]] = total.tolist()
    return sums
