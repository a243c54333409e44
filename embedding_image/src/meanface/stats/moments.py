"""First and second moments of embeddings, pure: the mean is right to the last bit.

**Any order, partitioning or retry gives the same float64.** Proof. `Moments` is a vector of
integers, each a sum over embeddings of an integer that depends on that embedding alone: 1 for the
count; the component in units of 2^-149 for the sums (`meanface.stats.exact_sum`); the component
rounded to a grid, and products of two such, for the second moments. Such sums do not depend on
order, partitions or attempts. Mean and covariance are one division of two integers each, which
Python rounds correctly (half to even): equal integers, equal bits, and the mean is the float64
nearest to the true one. Standard error and normalised mean follow from these by operations that
IEEE 754 fixes to the bit.

**The covariance** is that of components on a grid: x is rounded to the nearest multiple y of 2^-24
(half to even) once, before anything is added. The error: y = x + d with |d| <= 2^-25, and d = 0
where |x| >= 1/2, as float32 of that size are on the grid. By bilinearity and Cauchy-Schwarz

    |cov(y_i, y_j) - cov(x_i, x_j)| = |cov(x_i, d_j) + cov(d_i, x_j) + cov(d_i, d_j)|
                                   <= e (s_i + s_j) + e^2

with s the standard deviation of x, and e a bound on that of d: d lies in an interval of length
2^-24, so its unbiased variance is at most n / (n - 1) * 2^-50 (Popoviciu's inequality), and
e = 2^-25 sqrt(n / (n - 1)). For face embeddings (s about 0.06) the bound is 4e-9, beside variances
of about 4e-3. The rounding of the result to float64, relatively 2^-53, comes on top.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from operator import add

import numpy as np
from numpy.typing import NDArray

from meanface.errors import DamagedRecord
from meanface.stats.exact_sum import DIMENSIONS, SUM_BITS, ExactSum, norm, slices

__all__ = ["DIMENSIONS", "GRID_BITS", "SCHEMA", "SUM_BITS", "ExactSum", "Moments"]

GRID_BITS = 24
"""grid sums count in units of 2^-24, products in units of 2^-48"""
SCHEMA = 1
"""version of the bytes that `Moments.to_bytes` writes"""

_SMALL = 2**25  # rows with grid integers up to this (|component| <= 2) take the fast path
_UPPER = np.triu_indices(DIMENSIONS)
_LENGTHS = (DIMENSIONS, DIMENSIONS, DIMENSIONS * (DIMENSIONS + 1) // 2)  # of sums, grid_sums, products
_MAGIC = b"MFMO"
_HEADER = struct.Struct("<4sHHQ3H")  # magic, schema, dimensions, count, bytes per integer of the three sections
_CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Moments:
    """First and second moments of embeddings, in exact integers; see the module.

    >>> faces = np.linspace(-0.2, 0.2, 5 * 128, dtype=np.float32).reshape(5, 128)
    >>> Moments.of(faces[:1]) + Moments.of(faces[1:]) == Moments.of(faces[::-1])
    True
    """

    total: ExactSum
    grid_sums: tuple[int, ...]
    """128 integers: the sum of each component rounded to the grid, in units of 2^-24"""
    products: tuple[int, ...]
    """8,256 integers: the sum of products of any two components on the grid, in units of 2^-48; the
    upper triangle of a 128 x 128 matrix, row by row"""

    @classmethod
    def zero(cls) -> Moments:
        """The moments of no embeddings, the identity of addition."""
        return cls(ExactSum.zero(), (0,) * DIMENSIONS, (0,) * _LENGTHS[2])

    @classmethod
    def of(cls, embeddings: NDArray[np.float32]) -> Moments:
        """Moments of the rows of float32[n, 128]; n may be 0. ValueError as `ExactSum.of`."""
        total = ExactSum.of(embeddings)
        moments = cls.zero()
        for rows in slices(len(embeddings)):
            moments += cls(ExactSum.zero(), *_grid_moments(embeddings[rows]))
        return cls(total, moments.grid_sums, moments.products)

    @property
    def count(self) -> int:
        """Number of embeddings."""
        return self.total.count

    @property
    def sums(self) -> tuple[int, ...]:
        """128 integers: the sum of each component, in units of 2^-149."""
        return self.total.sums

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.total + other.total,
            tuple(map(add, self.grid_sums, other.grid_sums)),
            tuple(map(add, self.products, other.products)),
        )

    def mean(self) -> NDArray[np.float64]:
        """Correctly rounded mean of each component, float64[128]; ValueError without rows."""
        return self.total.mean()

    def mean_normalized(self) -> NDArray[np.float64]:
        """The mean divided by its norm, float64[128]; ValueError if either is undefined."""
        mean = self.mean()
        length = norm(mean)
        if not length:
            raise ValueError("the mean is the zero vector: it has no direction")
        return mean / length

    def covariance(self) -> NDArray[np.float64]:
        """Unbiased (n - 1) covariance on the grid, float64[128, 128], correctly rounded.

        ValueError for fewer than two embeddings.
        """
        divisor = self._spread_divisor() << 2 * GRID_BITS
        sums = self.grid_sums
        rows, columns = (index.tolist() for index in _UPPER)
        matrix = np.empty((DIMENSIONS, DIMENSIONS))
        matrix[_UPPER] = [
            (self.count * product - sums[i] * sums[j]) / divisor
            for i, j, product in zip(rows, columns, self.products, strict=True)
        ]
        matrix.T[_UPPER] = matrix[_UPPER]
        return matrix

    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of the mean of each component, sqrt(variance / n), float64[128].

        ValueError for fewer than two embeddings.
        """
        divisor = self.count * self._spread_divisor() << 2 * GRID_BITS
        diagonal = np.flatnonzero(_UPPER[0] == _UPPER[1]).tolist()
        squares = [self.products[position] for position in diagonal]
        return np.array(
            [
                math.sqrt((self.count * square - total * total) / divisor)
                for total, square in zip(self.grid_sums, squares, strict=True)
            ]
        )

    def _spread_divisor(self) -> int:
        if self.count < 2:
            raise ValueError(f"{self.count} embeddings: covariance and standard error need at least 2")
        return self.count * (self.count - 1)

    def to_bytes(self) -> bytes:
        """A compact record of about 70 kB; equal moments give equal bytes.

        Little-endian: a header with schema, dimensions, count (64 bits) and three widths; `sums`,
        `grid_sums` and `products` as signed integers of these widths in bytes, each as wide as its
        section needs; CRC-32 of all that, for copies that users take out of `moments.npz`.
        """
        sections = (self.sums, self.grid_sums, self.products)
        widths = [max(value.bit_length() for value in section) // 8 + 1 for section in sections]
        header = _HEADER.pack(_MAGIC, SCHEMA, DIMENSIONS, self.count, *widths)
        body = (
            value.to_bytes(width, "little", signed=True)
            for width, section in zip(widths, sections, strict=True)
            for value in section
        )
        record = b"".join((header, *body))
        return record + _CHECKSUM.pack(zlib.crc32(record))

    @classmethod
    def from_bytes(cls, data: bytes) -> Moments:
        """Read a record back; DamagedRecord if it is damaged, or of another schema or dimension."""
        if len(data) < _HEADER.size or not data.startswith(_MAGIC):
            raise DamagedRecord(f"not moments: {len(data)} bytes that begin with {data[:4]!r}")
        _, schema, dimensions, count, *widths = _HEADER.unpack_from(data)
        if (schema, dimensions) != (SCHEMA, DIMENSIONS):
            raise DamagedRecord(
                f"moments of schema {schema} in {dimensions} dimensions; expected schema {SCHEMA} in {DIMENSIONS}"
            )
        ends = np.cumsum([_HEADER.size, *(length * width for length, width in zip(_LENGTHS, widths, strict=True))])
        end = int(ends[-1])
        if min(widths) == 0 or len(data) != end + _CHECKSUM.size:
            raise DamagedRecord(f"moments have {len(data)} bytes, but their header says {end + _CHECKSUM.size}")
        if _CHECKSUM.unpack_from(data, end) != (zlib.crc32(data[:end]),):
            raise DamagedRecord("moments fail their checksum: they are damaged")
        sums, grid_sums, products = (
            tuple(int.from_bytes(data[at : at + width], "little", signed=True) for at in range(start, stop, width))
            for start, stop, width in zip(ends[:-1].tolist(), ends[1:].tolist(), widths, strict=True)
        )
        return cls(ExactSum(count, sums), grid_sums, products)


def _grid_moments(embeddings: NDArray[np.float32]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Grid sums and products of at most `SLICE` rows."""
    grid = np.rint(np.ldexp(embeddings.astype(np.float64), GRID_BITS))  # exact: 24 bits
    small = (np.abs(grid) <= _SMALL).all(axis=1)
    sums = grid[small].sum(axis=0).astype(np.int64).astype(object)
    products = _small_products(grid[small])[_UPPER].astype(object)
    if not small.all():
        huge = np.array([[int(value) for value in row] for row in grid[~small].tolist()], dtype=object)
        sums = sums + huge.sum(axis=0)
        products = products + (huge.T @ huge)[_UPPER]
    return tuple(sums.tolist()), tuple(products.tolist())


def _small_products(grid: NDArray[np.float64]) -> NDArray[np.int64]:
    """Exact sums of products, int64[128, 128], of at most 2^12 rows of integers up to +-2^25.

    Each integer is split into high * 2^13 + low with |high| <= 2^12 and 0 <= low < 2^13. Products
    of halves are below 2^26, and sums of 2^12 of them below 2^38. Whatever order the linear algebra
    library adds in, with fused multiplication or without, it computes integers below 2^53 only,
    which float64 holds exactly. Combined, the sums are at most 2^12 * 2^50 = 2^62 and fit int64.
    """
    high = np.floor(np.ldexp(grid, -13))
    low = grid - np.ldexp(high, 13)
    high_high, high_low, low_low = (
        (left.T @ right).astype(np.int64) for left, right in ((high, high), (high, low), (low, low))
    )
    products: NDArray[np.int64] = (high_high << 26) + ((high_low + high_low.T) << 13) + low_low
    return products


def distances_to(embeddings: NDArray[np.float32], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distance of each row to `centre`; each depends on its row alone, to the bit."""
    away = embeddings.astype(np.float64) - centre
    distances: NDArray[np.float64] = np.sqrt((away * away).sum(axis=1))
    return distances
