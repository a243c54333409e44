"""Laws of chip sums: what they hold depends on the faces alone, and the mean face is their exact mean, rounded once."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from laws import examples
from meanface.errors import DamagedRecord
from meanface.stats import chip_sum
from meanface.stats.chip_sum import MAX_FACES, SHAPE, Chip, ChipSum, RunningChipSum, png

LAWS = settings(deadline=None, max_examples=examples(25))


def chip(seed: int, kind: str) -> Chip:
    source = np.random.default_rng(seed)
    match kind:
        case "noise":
            return source.integers(0, 256, SHAPE, dtype=np.uint8)
        case "flat":
            return np.full(SHAPE, source.integers(0, 256), np.uint8)
        case _:
            rows = np.arange(SHAPE[0])[:, None, None]
            return np.broadcast_to((rows + source.integers(0, 100)) % 256, SHAPE).astype(np.uint8)


one = st.builds(chip, st.integers(0, 2**32 - 1), st.sampled_from(["noise", "flat", "smooth"]))
some = st.lists(one, max_size=5)


@LAWS
@given(some, some, some)
def test_merging_is_associative_and_commutative_with_an_identity(a: list[Chip], b: list[Chip], c: list[Chip]) -> None:
    x, y, z = map(ChipSum.of, (a, b, c))
    assert (x + y) + z == x + (y + z) == ChipSum.of(a + b + c)
    assert x + y == y + x
    assert x + ChipSum.zero() == x
    assert ((x + y).digest(), (x + y).to_bytes()) == ((y + x).digest(), (y + x).to_bytes())


@LAWS
@given(st.lists(one, min_size=1, max_size=9))
def test_the_mean_is_the_exact_one_rounded_once(faces: list[Chip]) -> None:
    """Half to even, as Python rounds a fraction."""
    mean = ChipSum.of(faces).mean()
    for place in ((0, 0, 0), (149, 149, 2), (75, 20, 1), (3, 140, 0)):
        exact = sum((Fraction(int(face[place])) for face in faces), Fraction(0)) / len(faces)
        assert mean[place] == round(exact)
    assert mean.dtype == np.uint8


def test_halves_go_to_the_even_neighbour() -> None:
    ones, twos = (np.full(SHAPE, value, np.uint8) for value in (1, 2))
    zero = np.zeros(SHAPE, np.uint8)
    assert (ChipSum.of([zero, ones]).mean() == 0).all()
    assert (ChipSum.of([ones, twos]).mean() == 2).all()


@LAWS
@given(some, st.sampled_from([1, 254, 400_000, 2**40, 2**52]))
def test_a_record_comes_back_as_it_was(faces: list[Chip], times: int) -> None:
    """Also of more faces than anybody has."""
    part = ChipSum.of(faces)
    total = ChipSum(part.count * times, part.sums * times)
    again = ChipSum.from_bytes(total.to_bytes())
    assert again == total
    assert (again.count, again.digest()) == (total.count, total.digest())


@LAWS
@given(some, one)
def test_another_sum_has_another_digest(faces: list[Chip], more: Chip) -> None:
    black = np.zeros(SHAPE, np.uint8)
    known = ChipSum.of(faces).digest()
    assert ChipSum.of([*faces, more]).digest() != known
    assert ChipSum.of([*faces, black]).digest() != known  # by its count


def test_int64_holds_as_many_faces_as_are_allowed() -> None:
    white = ChipSum(MAX_FACES, np.full(SHAPE, 255 * MAX_FACES, np.int64))
    assert (white.mean() == 255).all()
    assert ChipSum.from_bytes(white.to_bytes()) == white
    with pytest.raises(ValueError, match="int64"):
        white + ChipSum.of([chip(0, "noise")])


def test_the_mean_of_nothing_is_undefined() -> None:
    with pytest.raises(ValueError, match="undefined"):
        ChipSum.zero().mean()


@pytest.mark.parametrize("wrong", [np.zeros((150, 150), np.uint8), np.zeros(SHAPE, np.float32)])
def test_an_array_that_is_no_chip_is_refused(wrong: Chip) -> None:
    with pytest.raises(ValueError, match=r"a chip must be uint8\[rows, columns, 3\]"):
        ChipSum.of([wrong])


def test_a_total_is_immutable() -> None:
    running = RunningChipSum()
    running.add(chip(1, "noise"))
    total = running.total()
    before = total.digest()
    running.add(chip(2, "noise"))
    assert total.digest() == before
    with pytest.raises(ValueError, match="read-only"):
        total.sums[0, 0, 0] = 1


# records

RECORD = ChipSum.of([chip(0, "smooth"), chip(1, "flat")]).to_bytes()


def test_any_truncation_and_any_additional_byte_is_detected() -> None:
    for data in (*(RECORD[:end] for end in range(len(RECORD))), RECORD + b"\0", RECORD * 2):
        with pytest.raises(DamagedRecord):
            ChipSum.from_bytes(data)


def record(count: int, differences: bytes, *, schema: int = 2) -> bytes:
    """A record of anything."""
    return chip_sum._HEADER.pack(b"MFCS", schema, count) + pa.compress(differences, "zstd", asbytes=True)


SIZE = 8 * 67_500
BLACK = bytes(SIZE)
LARGEST_FIRST = np.array([2, -2] + [0] * 67_498, "<i8").tobytes()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a chip sum: 0 bytes"),
        (b"PAR1" + RECORD[4:], "not a chip sum"),
        (record(0, BLACK, schema=1), "schema 1, of another release; expected schema 2"),
        (RECORD[:14] + b"no frame", "cannot be decompressed"),
        (record(0, bytes(SIZE - 1)), "cannot be decompressed"),
        (record(0, bytes(10**8)), "cannot be decompressed"),
        (record(0, BLACK) + b"more", "cannot be decompressed"),
        (record(0, LARGEST_FIRST), "impossible for 0 chips"),
        (record(2**56, BLACK), "impossible"),
        (record(1, np.full(67_500, -1, "<i8").tobytes()), "impossible for 1 chips"),
    ],
)
def test_an_impossible_sum_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(DamagedRecord, match=why):
        ChipSum.from_bytes(data)


def test_a_right_record_of_nothing() -> None:
    assert ChipSum.from_bytes(record(0, BLACK)) == ChipSum.zero()


def other(seed: int, rows: int = 112, columns: int = 96) -> Chip:
    """A chip of another size than dlib's."""
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), np.uint8)


def test_chips_of_another_size_have_a_sum_and_a_record() -> None:
    faces = [other(seed) for seed in range(5)]
    whole = ChipSum.of(faces)
    assert ChipSum.of(faces[:2]) + ChipSum.zero() + ChipSum.of(faces[2:]) == whole
    assert ChipSum.of(reversed(faces)).to_bytes() == whole.to_bytes()
    assert ChipSum.from_bytes(whole.to_bytes()) == whole
    assert ChipSum.from_bytes(whole.to_bytes()).digest() == whole.digest()
    assert whole.mean().shape == (112, 96, 3)
    assert abs(whole.mean() - np.mean(faces, axis=0)).max() <= 0.5


def test_two_sizes_have_no_sum() -> None:
    with pytest.raises(ValueError, match="chips of 96 x 112 and of 150 x 150 pixels have no sum"):
        ChipSum.of([other(1), chip(1, "noise")])
    with pytest.raises(ValueError, match="chips of 150 x 150 and of 96 x 112 pixels have no sum"):
        ChipSum.of([chip(1, "noise")]) + ChipSum.of([other(1)])


def test_a_damaged_record_of_another_size_is_refused() -> None:
    record = ChipSum.of([other(1, 8, 8)]).to_bytes()
    for data in (*(record[:end] for end in range(len(record))), record + b"\0"):
        with pytest.raises(DamagedRecord):
            ChipSum.from_bytes(data)
    with pytest.raises(DamagedRecord, match="the chip sum is of 65535 x 8 pixels"):
        ChipSum.from_bytes(record[:16] + b"\xff\xff" + record[18:])


def test_a_picture_holds_pixels_and_nothing_else() -> None:
    image = chip(5, "noise")
    data = png(image)
    assert (np.asarray(Image.open(io.BytesIO(data))) == image).all()
    kinds, place = [], 8
    while place < len(data):
        size = int.from_bytes(data[place : place + 4])
        kinds.append(data[place + 4 : place + 8])
        place += size + 12
    assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
    assert png(image.copy()) == data
