"""Chips, the aligned faces that the network sees, and their exact sum; pure.

The mean of chips is the mean face. A `ChipSum` is a count and, for each value of a chip, the integer
sum of these values. dlib's chips have 150 x 150 pixels; those of other embedders may have another
size, and chips of two sizes have no sum. As for embeddings (`meanface.stats.exact_sum`), it
depends on the set of faces alone: the mean face has the same bits for any order, partitioning or
retry. A value is at most 255, and sums of up to 2^55 faces stay below 2^63: int64 holds them, and a
larger count is refused.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from meanface.errors import DamagedRecord

if TYPE_CHECKING:
    from pyarrow import Codec

Chip = NDArray[np.uint8]
"""(rows, columns, 3), RGB"""

CHIP_SIZE = 150
"""rows and columns of dlib's chips"""
SHAPE = (CHIP_SIZE, CHIP_SIZE, 3)
LARGEST_SIDE = 1024
"""pixels of a chip's longer side"""
MAX_FACES = 2**55
SCHEMA, ANY_SIZE = 2, 3
"""versions of the bytes that `ChipSum.to_bytes` writes: for chips of dlib's size, and for others; 1 was
that of release 0.2"""

_MAGIC = b"MFCS"
_HEADER = struct.Struct("<4sHQ")  # magic, schema, count
_SIZE = struct.Struct("<HH")  # rows and columns, which follow in `ANY_SIZE`


@dataclass(frozen=True, slots=True, eq=False)
class ChipSum:
    """Number of chips, at most 2^55, and their exact sum.

    >>> grey, white = (np.full(SHAPE, value, np.uint8) for value in (100, 255))
    >>> both = ChipSum.of([grey]) + ChipSum.of([white])
    >>> both.count, both.mean()[0, 0].tolist()
    (2, [178, 178, 178])
    """

    count: int
    sums: NDArray[np.int64]
    """(rows, columns, 3), each from 0 to 255 times the count; of dlib's size without chips"""

    def __post_init__(self) -> None:
        if not 0 <= self.count <= MAX_FACES:
            raise ValueError(f"a sum of {self.count} chips: int64 holds at most 2^55")
        self.sums.flags.writeable = False

    @classmethod
    def zero(cls) -> ChipSum:
        """The sum of no chips, the identity of addition for any size."""
        return cls(0, np.zeros(SHAPE, np.int64))

    @classmethod
    def of(cls, chips: Iterable[Chip]) -> ChipSum:
        """The sum of chips; ValueError for chips of several sizes, or of another dtype."""
        running = RunningChipSum()
        for chip in chips:
            running.add(chip)
        return running.total()

    def __add__(self, other: ChipSum) -> ChipSum:
        if not (self.count and other.count):
            return self if self.count else other
        _same_size(self.sums.shape, other.sums.shape)
        return ChipSum(self.count + other.count, self.sums + other.sums)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChipSum) and self.count == other.count and np.array_equal(self.sums, other.sums)

    __hash__ = None  # type: ignore[assignment]  # equality is by large content

    def mean(self) -> Chip:
        """The mean chip, each value rounded once, half to even; ValueError without chips."""
        if not self.count:
            raise ValueError("no chips: the mean face is undefined")
        quotient, rest = np.divmod(self.sums, self.count)
        up = (2 * rest > self.count) | ((2 * rest == self.count) & (quotient % 2 == 1))
        mean: Chip = (quotient + up).astype(np.uint8)
        return mean

    def digest(self) -> str:
        """SHA-256 of count and sums, in hexadecimal; independent of how `to_bytes` compresses."""
        running = hashlib.sha256(b"%d\n" % self.count)
        running.update(np.ascontiguousarray(self.sums, "<i8").data)
        return running.hexdigest()

    def to_bytes(self) -> bytes:
        """A compact record: a header with schema and count, and the sums, compressed by Zstandard.

        Each sum is replaced by its difference from the one above, and that by its difference from
        the same to the left: faces are smooth, so these are small. Of 256 faces of LFW the record
        has 100 kB; it would have 127 kB with the plain sums. It needs no checksum: a chunk is
        sealed as a whole, and a commit has the digest of its partition's sum.
        """
        differences = np.diff(np.diff(self.sums, axis=0, prepend=0), axis=1, prepend=0)
        packed: bytes = _zstandard().compress(differences.astype("<i8").tobytes(), asbytes=True)
        rows, columns, _ = self.sums.shape
        if self.sums.shape == SHAPE:
            return _HEADER.pack(_MAGIC, SCHEMA, self.count) + packed
        return _HEADER.pack(_MAGIC, ANY_SIZE, self.count) + _SIZE.pack(rows, columns) + packed

    @classmethod
    def from_bytes(cls, data: bytes) -> ChipSum:
        """Read a record back; DamagedRecord if it is damaged, or of another schema."""
        if len(data) < _HEADER.size or not data.startswith(_MAGIC):
            raise DamagedRecord(f"not a chip sum: {len(data)} bytes that begin with {data[:4]!r}")
        _, schema, count = _HEADER.unpack_from(data)
        shape, start = SHAPE, _HEADER.size
        if schema == ANY_SIZE and len(data) >= start + _SIZE.size:
            shape, start = (*_SIZE.unpack_from(data, start), 3), start + _SIZE.size
            if min(shape[:2]) < 1 or max(shape[:2]) > LARGEST_SIDE:
                raise DamagedRecord(f"the chip sum is of {shape[1]} x {shape[0]} pixels")
        elif schema != SCHEMA:
            raise DamagedRecord(f"the chip sum has schema {schema}, of another release; expected schema {SCHEMA}")
        try:
            unpacked = _zstandard().decompress(data[start:], decompressed_size=8 * math.prod(shape))
        except OSError as damage:
            raise DamagedRecord(f"the chip sum cannot be decompressed: {damage}") from None
        sums = np.frombuffer(unpacked, "<i8").reshape(shape).cumsum(axis=0).cumsum(axis=1)
        if count > MAX_FACES or sums.min() < 0 or sums.max() > 255 * count:
            raise DamagedRecord(f"the chip sum is impossible for {count} chips")
        return cls(count, sums)


class RunningChipSum:
    """A chip sum that grows in place."""

    def __init__(self) -> None:
        self._count, self._sums = 0, np.zeros(SHAPE, np.int64)

    def add(self, chip: Chip) -> None:
        """Add a chip; ValueError for another size than the first, or another dtype."""
        if chip.ndim != 3 or chip.shape[2] != 3 or chip.dtype != np.uint8:
            raise ValueError(f"a chip must be uint8[rows, columns, 3], not {chip.dtype}{list(chip.shape)}")
        if not self._count and chip.shape != SHAPE:
            self._sums = np.zeros(chip.shape, np.int64)
        _same_size(self._sums.shape, chip.shape)
        self._count += 1
        np.add(self._sums, chip, out=self._sums)

    def total(self) -> ChipSum:
        """The sum so far."""
        return ChipSum(self._count, self._sums.copy())


def _same_size(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    if first != second:
        raise ValueError(f"chips of {first[1]} x {first[0]} and of {second[1]} x {second[0]} pixels have no sum")


def is_chip_sum(data: bytes) -> bool:
    """Whether bytes begin like a chip sum's record, damaged or not."""
    return data.startswith(_MAGIC)


def png(image: Chip) -> bytes:
    """PNG file with pixels and no metadata: equal images give equal bytes."""
    output = io.BytesIO()
    Image.fromarray(image).save(output, "PNG", compress_level=9)
    return output.getvalue()


def _zstandard() -> Codec:
    from pyarrow import Codec  # a worker starts without it

    return Codec("zstd")
