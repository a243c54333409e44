"""Laws of moments: what they hold depends on the embeddings alone, and equals exact rational arithmetic."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from laws import examples
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.errors import DamagedRecord
from meanface.stats import exact_sum, moments
from meanface.stats.exact_sum import MOST_DIMENSIONS
from meanface.stats.moments import ExactSum, Moments

Embeddings = NDArray[np.float32]

LAWS = settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow])

HUGE = float(np.finfo(np.float32).max)
TINY = float(np.float32(2.0**-149))  # the smallest subnormal
NASTY = [
    0.0,
    -0.0,
    TINY,
    -TINY,
    2.0**-126,
    2.0**-126 - TINY,
    HUGE,
    -HUGE,
    1.0,
    -1.0,
    2.0,
    2.0 + 2.0**-22,
    -3.0,
    65536.0,
]
HALVES = [2.0**-25, 3 * 2.0**-25, -(2.0**-25), -3 * 2.0**-25]  # half-way between grid points

component = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(min_value=-0.5, max_value=0.5, width=32),
    st.sampled_from(NASTY + HALVES),
)


@st.composite
def embeddings(draw: st.DrawFn, min_rows: int = 0, values: st.SearchStrategy[float] = component) -> Embeddings:
    """Rows with a few drawn components at drawn places; the others are drawn by NumPy from a drawn seed."""
    rows = draw(st.integers(min_rows, 7))
    seed = draw(st.integers(0, 2**32 - 1))
    faces = (np.random.default_rng(seed).normal(size=(rows, DIMENSIONS)) * 0.1).astype(np.float32)
    if rows:
        place = st.tuples(st.integers(0, rows - 1), st.integers(0, DIMENSIONS - 1), values)
        for row, column, value in draw(st.lists(place, max_size=12)):
            faces[row, column] = value
        if draw(st.booleans()):
            faces[:, draw(st.integers(0, DIMENSIONS - 1))] = draw(st.lists(values, min_size=rows, max_size=rows))
    return faces


def faces(rows: int, seed: int = 0) -> Embeddings:
    return (np.random.default_rng(seed).normal(size=(rows, DIMENSIONS)) * 0.1).astype(np.float32)


def fractions(column: NDArray[Any]) -> list[Fraction]:
    return [Fraction(value) for value in column.tolist()]


def on_grid(value: Fraction) -> Fraction:
    """The nearest multiple of 2^-24; `round` of a Fraction takes ties to even."""
    return Fraction(round(value * 2**24), 2**24)


def covariance(left: list[Fraction], right: list[Fraction]) -> Fraction:
    n = len(left)
    spread = sum((a * b for a, b in zip(left, right, strict=True)), Fraction()) - sum(left) * sum(right) / n
    return Fraction(spread, n - 1)


def float_of(value: Fraction) -> float:
    """Nearest float64: division of Python's integers is correctly rounded."""
    return value.numerator / value.denominator


# --- the laws -----------------------------------------------------------------------------------------------------


@LAWS
@given(embeddings(), embeddings(), embeddings())
def test_merging_is_associative_and_commutative_and_has_an_identity(
    a: Embeddings, b: Embeddings, c: Embeddings
) -> None:
    x, y, z = Moments.of(a), Moments.of(b), Moments.of(c)
    assert (x + y) + z == x + (y + z)
    assert x + y == y + x
    assert x + Moments.zero() == x == Moments.zero() + x
    assert x.total + ExactSum.zero() == x.total


@LAWS
@given(embeddings(), st.randoms(use_true_random=False), st.data())
def test_any_order_and_any_partitioning_give_the_same_moments(
    rows: Embeddings, order: random.Random, data: st.DataObject
) -> None:
    whole = Moments.of(rows)
    shuffled = rows[order.sample(range(len(rows)), len(rows))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    parts = [Moments.of(shuffled[start:stop]) for start, stop in pairwise([0, *cuts, len(rows)])]
    merged = sum(parts, start=Moments.zero())
    assert merged == whole
    assert merged.to_bytes() == whole.to_bytes()


def test_more_rows_than_one_slice() -> None:
    rows = faces(2 * exact_sum.SLICE + 17)
    rows[exact_sum.SLICE + 3, 5] = HUGE
    halves = Moments.of(rows[:1000]) + Moments.of(rows[1000:])
    assert Moments.of(rows) == halves
    assert halves.mean()[5] == float_of(sum(fractions(rows[:, 5]), Fraction()) / len(rows))


@pytest.mark.long
@pytest.mark.parametrize("beyond", [0.0, 2.0 + 2.0**-22, 4.0])
def test_at_the_bounds_of_int64_products_stay_exact(beyond: float) -> None:
    """A full slice of the largest components of the fast path, with products that sum to 2^62, and a larger one."""
    row = np.zeros((1, DIMENSIONS), dtype=np.float32)
    row[0, :4] = [2.0, -2.0, 2.0 - 2.0**-23, beyond]
    grid = [round(Fraction(value) * 2**24) for value in row[0].tolist()]
    products = [exact_sum.SLICE * left * right for left, right in combinations_with_replacement(grid, 2)]
    found = Moments.of(np.repeat(row, exact_sum.SLICE, axis=0))
    assert list(found.products) == products
    assert list(found.grid_sums) == [exact_sum.SLICE * value for value in grid]
    assert found.products[0] == 2**62


# --- the mean -----------------------------------------------------------------------------------------------------


@LAWS
@given(embeddings(min_rows=1))
@example(np.full((3, DIMENSIONS), TINY, dtype=np.float32))
@example(np.full((2, DIMENSIONS), -0.0, dtype=np.float32))
@example(np.repeat(np.array([[HUGE], [TINY], [-HUGE]], dtype=np.float32), DIMENSIONS, axis=1))
@example(np.full((7, DIMENSIONS), HUGE, dtype=np.float32))
def test_the_mean_is_the_exact_mean_correctly_rounded(rows: Embeddings) -> None:
    mean = Moments.of(rows).mean()
    for column, value in zip(rows.T, mean.tolist(), strict=True):
        assert value == float_of(sum(fractions(column), Fraction()) / len(rows))
    assert mean.dtype == np.float64
    assert not np.signbit(mean[mean == 0]).any()


@LAWS
@given(embeddings(), st.lists(st.sampled_from(["", "a", "a\0", "b", "é"]), min_size=7, max_size=7))
def test_sums_by_group_are_the_sums_of_each_groups_rows(rows: Embeddings, names: list[str]) -> None:
    groups = names[: len(rows)]
    found = ExactSum.by_group(rows, groups)
    assert list(found) == list(dict.fromkeys(groups))
    for name, total in found.items():
        assert total == ExactSum.of(rows[[group == name for group in groups]])
    assert sum(found.values(), start=ExactSum.of(rows[:0])) == ExactSum.of(rows)


def test_groups_reach_across_slices() -> None:
    rows = faces(2 * exact_sum.SLICE + 1)
    groups = [row % 3 for row in range(len(rows))]
    assert ExactSum.by_group(rows, groups) == {group: ExactSum.of(rows[group::3]) for group in range(3)}


def test_each_embedding_needs_a_group() -> None:
    with pytest.raises(ValueError, match="1 groups for 2 embeddings"):
        ExactSum.by_group(faces(2), ["a"])


def test_the_normalised_mean_has_length_one_and_the_direction_of_the_mean() -> None:
    found = Moments.of(faces(50))
    unit = found.mean_normalized()
    assert math.isclose(math.fsum(value * value for value in unit), 1, rel_tol=1e-15)
    np.testing.assert_allclose(unit * np.linalg.norm(found.mean()), found.mean(), rtol=1e-14)


def test_a_zero_mean_has_no_direction() -> None:
    rows = faces(1)
    with pytest.raises(ValueError, match="no direction"):
        Moments.of(np.concatenate([rows, -rows])).mean_normalized()


# --- the covariance -----------------------------------------------------------------------------------------------


@LAWS
@given(embeddings(min_rows=2), st.integers(0, DIMENSIONS - 1), st.integers(0, DIMENSIONS - 1))
def test_the_covariance_is_that_of_the_grid_correctly_rounded_and_within_its_bound(
    rows: Embeddings, i: int, j: int
) -> None:
    moments_ = Moments.of(rows)
    matrix = moments_.covariance()
    assert np.array_equal(matrix, matrix.T)
    x, y = fractions(rows[:, i]), fractions(rows[:, j])
    grid_x, grid_y = [on_grid(value) for value in x], [on_grid(value) for value in y]
    exact = covariance(grid_x, grid_y)
    assert matrix[i, j] == float_of(exact)

    n = len(rows)
    e = 2.0**-25 * math.sqrt(n / (n - 1))
    deviations = sum(math.sqrt(float_of(covariance(column, column))) for column in (x, y))
    assert abs(exact - covariance(x, y)) <= Fraction((e * deviations + e * e) * (1 + 1e-12))

    variance = covariance(grid_x, grid_x)
    assert moments_.standard_error()[i] == math.sqrt(float_of(variance / n))


def test_the_covariance_is_numpys_within_the_grids_bound() -> None:
    rows = faces(500)
    found = Moments.of(rows).covariance()
    raw = rows.astype(np.float64)
    deviation = raw.std(axis=0, ddof=1)
    e = 2.0**-25 * math.sqrt(500 / 499)
    assert (np.abs(found - np.cov(raw.T)) <= e * (deviation[:, None] + deviation) + e * e + 1e-15).all()


@pytest.mark.parametrize("count", [0, 1])
def test_spread_needs_two_embeddings(count: int) -> None:
    few = Moments.of(faces(count))
    for spread in (few.covariance, few.standard_error):
        with pytest.raises(ValueError, match="at least 2"):
            spread()


def test_the_mean_of_one_embedding_is_that_embedding() -> None:
    rows = faces(1)
    assert np.array_equal(Moments.of(rows).mean(), rows[0].astype(np.float64))


def test_the_mean_of_nothing_is_undefined() -> None:
    nothing = Moments.of(np.empty((0, DIMENSIONS), dtype=np.float32))
    assert nothing == nothing + nothing == nothing + Moments.zero()
    assert nothing + Moments.of(faces(2)) == Moments.of(faces(2))
    with pytest.raises(ValueError, match="no embedding"):
        nothing.mean()


# --- refused values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [2, exact_sum.SLICE + 2])
def test_a_component_that_is_not_finite_is_refused_by_its_place(value: float, row: int) -> None:
    rows = faces(exact_sum.SLICE + 4)
    rows[row, 77] = value
    with pytest.raises(ValueError, match=rf"embedding {row} has {value} in column 77"):
        Moments.of(rows)


@pytest.mark.parametrize("shape", [(), (DIMENSIONS,), (2, 0), (2, MOST_DIMENSIONS + 1), (1, 1, DIMENSIONS)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"float32\[n, d\], d from 1 to 4,096"):
        Moments.of(np.zeros(shape, dtype=np.float32))


def test_another_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match="not float64"):
        Moments.of(np.zeros((1, DIMENSIONS)))


# --- the record ---------------------------------------------------------------------------------------------------


@LAWS
@given(embeddings())
def test_a_record_reads_back_as_what_was_written(rows: Embeddings) -> None:
    written = Moments.of(rows)
    assert Moments.from_bytes(written.to_bytes()) == written


def test_a_record_of_100_000_embeddings_is_below_100_kilobytes() -> None:
    some = Moments.of(np.abs(faces(10_000)))
    many = sum([some] * 10, start=Moments.zero())
    assert many.count == 100_000
    assert len(many.to_bytes()) <= 100_000


RECORD = Moments.of(faces(3)).to_bytes()


@given(st.integers(0, 8 * len(RECORD) - 1))
@settings(deadline=None, max_examples=examples(100))
@example(0)
@example(8 * 4)  # schema
@example(8 * 6)  # dimensions
@example(8 * 8)  # count
@example(8 * 16)  # width of the sums
@example(8 * 17 + 7)
def test_a_record_with_a_flipped_bit_is_refused(position: int) -> None:
    damaged = bytearray(RECORD)
    damaged[position // 8] ^= 1 << position % 8
    with pytest.raises(DamagedRecord):
        Moments.from_bytes(bytes(damaged))


@given(st.integers(0, len(RECORD) - 1))
@settings(deadline=None, max_examples=examples(50))
@example(0)
@example(21)
@example(22)
@example(len(RECORD) - 1)
def test_a_truncated_record_is_refused(length: int) -> None:
    with pytest.raises(DamagedRecord):
        Moments.from_bytes(RECORD[:length])


def test_additional_bytes_are_refused() -> None:
    with pytest.raises(DamagedRecord, match="their header says"):
        Moments.from_bytes(RECORD + b"\0")


def test_a_record_of_another_schema_is_refused_by_name() -> None:
    other = RECORD[:4] + (moments.SCHEMA + 1).to_bytes(2, "little") + RECORD[6:]
    with pytest.raises(DamagedRecord, match=r"schema 2 .* expected schema 1"):
        Moments.from_bytes(other)
