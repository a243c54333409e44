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

**Of more than `FULL` dimensions** only the products of each component with itself are kept. So the
standard error is as exact, and there is no covariance: its integers would take 4 MB for each
partition of 1,024 dimensions, and 67 MB for 4,096.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from meanface.errors import DamagedRecord
from meanface.stats.exact_sum import MOST_DIMENSIONS, SUM_BITS, ExactSum, added, norm, slices

__all__ = ["FULL", "GRID_BITS", "SCHEMA", "SUM_BITS", "ExactSum", "Moments"]

FULL = 512
"""Most dimensions with a covariance; a commit has 1 MB then."""

GRID_BITS = 24
"""grid sums count in units of 2^-24, products in units of 2^-48"""
SCHEMA = 1
"""version of the bytes that `Moments.to_bytes` writes"""

_SMALL = 2**25  # rows with grid integers up to this (|component| <= 2) take the fast path
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
    """the sum of each component rounded to the grid, in units of 2^-24"""
    products: tuple[int, ...]
    """the sum of products of any two components on the grid, in units of 2^-48: the upper triangle of
    a square matrix, row by row; of more than `FULL` dimensions, its diagonal"""

    @classmethod
    def zero(cls) -> Moments:
        """The moments of nothing, the identity of addition in every dimension."""
        return cls(ExactSum.zero(), (), ())

    @classmethod
    def of(cls, embeddings: NDArray[np.float32]) -> Moments:
        """Moments of the rows of float32[n, d]; n may be 0. ValueError as `ExactSum.of`."""
        total = ExactSum.of(embeddings)
        moments = cls(ExactSum.zero(), (0,) * total.dimensions, (0,) * _products(total.dimensions))
        for rows in slices(len(embeddings)):
            moments += cls(ExactSum.zero(), *_grid_moments(embeddings[rows]))
        return cls(total, moments.grid_sums, moments.products)

    @property
    def dimensions(self) -> int:
        """Components of an embedding; 0 for the moments of nothing."""
        return self.total.dimensions

    @property
    def count(self) -> int:
        """Number of embeddings."""
        return self.total.count

    @property
    def sums(self) -> tuple[int, ...]:
        """The sum of each component, in units of 2^-149."""
        return self.total.sums

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.total + other.total,
            added(self.grid_sums, other.grid_sums),
            added(self.products, other.products),
        )

    def mean(self) -> NDArray[np.float64]:
        """Correctly rounded mean of each component, float64[d]; ValueError without rows."""
        return self.total.mean()

    def mean_normalized(self) -> NDArray[np.float64]:
        """The mean divided by its norm, float64[d]; ValueError if either is undefined."""
        mean = self.mean()
        length = norm(mean)
        if not length:
            raise ValueError("the mean is the zero vector: it has no direction")
        return mean / length

    def covariance(self) -> NDArray[np.float64]:
        """Unbiased (n - 1) covariance on the grid, float64[d, d], correctly rounded.

        ValueError for fewer than two embeddings, and for more than `FULL` dimensions.
        """
        divisor = self._spread_divisor() << 2 * GRID_BITS
        if not self.has_covariance:
            raise ValueError(f"no covariance of {self.dimensions:,} dimensions is kept, only of up to {FULL}")
        sums = self.grid_sums
        upper = _upper(self.dimensions)
        rows, columns = (index.tolist() for index in upper)
        matrix = np.empty((self.dimensions, self.dimensions))
        matrix[upper] = [
            (self.count * product - sums[i] * sums[j]) / divisor
            for i, j, product in zip(rows, columns, self.products, strict=True)
        ]
        matrix.T[upper] = matrix[upper]
        return matrix

    @property
    def has_covariance(self) -> bool:
        """Whether the products of two components are kept, or only squares."""
        return self.dimensions <= FULL

    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of the mean of each component, sqrt(variance / n), float64[d].

        ValueError for fewer than two embeddings.
        """
        divisor = self.count * self._spread_divisor() << 2 * GRID_BITS
        return np.array(
            [
                math.sqrt((self.count * square - total * total) / divisor)
                for total, square in zip(self.grid_sums, self._squares(), strict=True)
            ]
        )

    def spread(self) -> float:
        """Root mean square distance of the embeddings to their mean; 0 for fewer than two."""
        if self.count < 2:
            return 0.0
        divisor = self.count**2 << 2 * GRID_BITS
        pairs = zip(self.grid_sums, self._squares(), strict=True)
        return math.sqrt(sum(self.count * square - total * total for total, square in pairs) / divisor)

    def _squares(self) -> tuple[int, ...]:
        """Of each component, the sum of its squares."""
        if not self.has_covariance:
            return self.products
        rows, columns = _upper(self.dimensions)
        return tuple(self.products[position] for position in np.flatnonzero(rows == columns).tolist())

    def _spread_divisor(self) -> int:
        if self.count < 2:
            raise ValueError(f"{self.count} embeddings: covariance and standard error need at least 2")
        return self.count * (self.count - 1)

    def to_bytes(self) -> bytes:
        """A compact record, of about 70 kB for 128 dimensions; equal moments give equal bytes.

        Little-endian: a header with schema, dimensions, count (64 bits) and three widths; `sums`,
        `grid_sums` and `products` as signed integers of these widths in bytes, each as wide as its
        section needs; CRC-32 of all that, for copies that users take out of `moments.npz`.
        """
        sections = (self.sums, self.grid_sums, self.products)
        widths = [max((value.bit_length() for value in section), default=0) // 8 + 1 for section in sections]
        header = _HEADER.pack(_MAGIC, SCHEMA, self.dimensions, self.count, *widths)
        body = (
            value.to_bytes(width, "little", signed=True)
            for width, section in zip(widths, sections, strict=True)
            for value in section
        )
        record = b"".join((header, *body))
        return record + _CHECKSUM.pack(zlib.crc32(record))

    @classmethod
    def from_bytes(cls, data: bytes) -> Moments:
        """Read a record back; DamagedRecord if it is damaged, or of another schema."""
        if len(data) < _HEADER.size or not data.startswith(_MAGIC):
            raise DamagedRecord(f"not moments: {len(data)} bytes that begin with {data[:4]!r}")
        _, schema, dimensions, count, *widths = _HEADER.unpack_from(data)
        if schema != SCHEMA or dimensions > MOST_DIMENSIONS or (count and not dimensions):
            raise DamagedRecord(
                f"moments of schema {schema} in {dimensions} dimensions; expected schema {SCHEMA} in 1 to "
                f"{MOST_DIMENSIONS:,}"
            )
        lengths = (dimensions, dimensions, _products(dimensions))
        ends = np.cumsum([_HEADER.size, *(length * width for length, width in zip(lengths, widths, strict=True))])
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


def _products(dimensions: int) -> int:
    """Number of products that are kept."""
    return dimensions * (dimensions + 1) // 2 if dimensions <= FULL else dimensions


@cache
def _upper(dimensions: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the upper triangle of a square matrix."""
    return np.triu_indices(dimensions)


def _grid_moments(embeddings: NDArray[np.float32]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Grid sums and products of at most `SLICE` rows."""
    grid = np.rint(np.ldexp(embeddings.astype(np.float64), GRID_BITS))  # exact: 24 bits
    small = (np.abs(grid) <= _SMALL).all(axis=1)
    sums = grid[small].sum(axis=0).astype(np.int64).astype(object)
    full = grid.shape[1] <= FULL
    kept = _upper(grid.shape[1]) if full else slice(None)
    products = (_small_products if full else _small_squares)(grid[small])[kept].astype(object)
    if not small.all():
        huge = np.array([[int(value) for value in row] for row in grid[~small].tolist()], dtype=object)
        sums = sums + huge.sum(axis=0)
        products = products + (huge.T @ huge if full else (huge * huge).sum(axis=0))[kept]
    return tuple(sums.tolist()), tuple(products.tolist())


def _small_products(grid: NDArray[np.float64]) -> NDArray[np.int64]:
    """Exact sums of products, int64[d, d], of at most 2^12 rows of integers up to +-2^25.

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


def _small_squares(grid: NDArray[np.float64]) -> NDArray[np.int64]:
    """Exact sums of squares, int64[d], of such integers: each is at most 2^50, and their sum 2^62."""
    integers = grid.astype(np.int64)
    squares: NDArray[np.int64] = (integers * integers).sum(axis=0)
    return squares


def distances_to(embeddings: NDArray[np.float32], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distance of each row to `centre`; each depends on its row alone, to the bit."""
    away = embeddings.astype(np.float64) - centre
    distances: NDArray[np.float64] = np.sqrt((away * away).sum(axis=1))
    return distances
