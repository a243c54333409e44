"""Laws of sums and moments in any dimension; `test_moments` has those of dlib's 128."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from laws import examples
from meanface.errors import DamagedRecord
from meanface.stats.exact_sum import MOST_DIMENSIONS
from meanface.stats.labels import balanced_mean, cluster_standard_error
from meanface.stats.moments import FULL, ExactSum, Moments
from meanface.stats.two_sample import Side, difference

Embeddings = NDArray[np.float32]

LAWS = settings(deadline=None, max_examples=examples(30), suppress_health_check=[HealthCheck.too_slow])
DIMENSIONS = [1, 3, 127, 128, 129, FULL, FULL + 1]
TRIANGLE = 8


def rows_of(dimensions: int, count: int, seed: int = 0) -> Embeddings:
    return np.random.default_rng([dimensions, seed]).normal(0, 0.3, (count, dimensions)).astype(np.float32)


@st.composite
def parts(draw: st.DrawFn) -> list[Embeddings]:
    """Two to four collections of one dimension, with some components of any size."""
    dimensions = draw(st.sampled_from([1, 2, 3, 17]))
    elements = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.floats(-1, 1, width=32)
    shapes = st.integers(0, 4).map(lambda rows: (rows, dimensions))
    return [draw(arrays(np.float32, draw(shapes), elements=elements)) for _ in range(draw(st.integers(2, 4)))]


@LAWS
@given(parts())
def test_parts_in_any_order_have_the_moments_of_the_whole(some: list[Embeddings]) -> None:
    whole = Moments.of(np.concatenate(some))
    assert sum(map(Moments.of, some), Moments.zero()) == whole
    assert sum(map(Moments.of, reversed(some)), Moments.zero()).to_bytes() == whole.to_bytes()
    assert Moments.from_bytes(whole.to_bytes()) == whole


@LAWS
@given(parts())
def test_the_mean_is_the_exact_one_rounded_once(some: list[Embeddings]) -> None:
    rows = np.concatenate(some)
    if not len(rows):
        return
    exact = [sum(map(Fraction, column.tolist()), Fraction()) / len(rows) for column in rows.T]
    assert ExactSum.of(rows).mean().tolist() == [one.numerator / one.denominator for one in exact]


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_moments_of_any_dimension_equal_numpys(dimensions: int) -> None:
    rows = rows_of(dimensions, 40)
    found = Moments.from_bytes((Moments.of(rows[:7]) + Moments.of(rows[7:])).to_bytes())
    wide = rows.astype(np.float64)
    assert found.dimensions == dimensions
    np.testing.assert_allclose(found.mean(), wide.mean(axis=0), rtol=0, atol=1e-15)
    error = wide.std(axis=0, ddof=1) / math.sqrt(len(rows))
    np.testing.assert_allclose(found.standard_error(), error, rtol=1e-6)
    spread = math.sqrt(float(((wide - wide.mean(axis=0)) ** 2).sum(axis=1).mean()))
    assert found.spread() == pytest.approx(spread, rel=1e-6)
    if dimensions <= FULL:
        np.testing.assert_allclose(found.covariance(), np.atleast_2d(np.cov(wide.T)), rtol=0, atol=1e-8)


@pytest.mark.parametrize("beyond", [0.25, 3.0, 1e30])
def test_squares_without_a_covariance_are_the_diagonal_of_one_with_it(beyond: float) -> None:
    """The same columns, of which a large dimension has many copies: their standard errors are the same bits."""
    narrow = rows_of(TRIANGLE, 9)
    narrow[4, 3] = beyond
    wide = np.tile(narrow, (1, FULL // TRIANGLE + 1))
    errors = np.tile(Moments.of(narrow).standard_error(), FULL // TRIANGLE + 1)
    assert Moments.of(wide).standard_error().tolist() == errors.tolist()


def test_the_most_dimensions() -> None:
    rows = rows_of(MOST_DIMENSIONS, 5)
    found = Moments.of(rows)
    assert Moments.from_bytes(found.to_bytes()) == found
    assert len(found.to_bytes()) < 150_000
    np.testing.assert_allclose(found.mean(), rows.astype(np.float64).mean(axis=0), rtol=0, atol=1e-15)
    with pytest.raises(ValueError, match=r"no covariance of 4,096 dimensions is kept, only of up to 512"):
        found.covariance()


def test_a_commit_with_the_largest_covariance_takes_about_a_megabyte() -> None:
    some = Moments.of(np.abs(rows_of(FULL, 1000)))
    assert len(some.to_bytes()) < 1_100_000


def test_two_dimensions_do_not_mix() -> None:
    one, other = rows_of(128, 2), rows_of(512, 2)
    with pytest.raises(ValueError, match="embeddings of 128 and of 512 dimensions have no common sum"):
        ExactSum.of(one) + ExactSum.of(other)
    with pytest.raises(ValueError, match="embeddings of 512 and of 128 dimensions have no common sum"):
        Moments.of(other) + Moments.of(one)
    with pytest.raises(ValueError, match="embeddings of 128 and of 512 dimensions have no common sum"):
        Moments.of(one[:0]) + Moments.of(other)
    with pytest.raises(ValueError, match="means of 128 and of 512 dimensions have no distance"):
        difference(Side(Moments.of(one)), Side(Moments.of(other)))


@pytest.mark.parametrize(("dimensions", "count"), [(MOST_DIMENSIONS + 1, 3), (0, 1)])
def test_a_record_of_impossible_dimensions_is_refused(dimensions: int, count: int) -> None:
    record = bytearray(Moments.of(rows_of(3, 3)).to_bytes())
    record[6:16] = dimensions.to_bytes(2, "little") + count.to_bytes(8, "little")
    with pytest.raises(DamagedRecord, match=rf"in {dimensions} dimensions; expected schema 1 in 1 to 4,096"):
        Moments.from_bytes(bytes(record))


@pytest.mark.parametrize("dimensions", [1, 3, 512])
def test_label_statistics_of_any_dimension(dimensions: int) -> None:
    rows = rows_of(dimensions, 30)
    names = [f"{number % 7}" for number in range(30)]
    sums = ExactSum.by_group(rows, names)
    means = np.array([rows[[name == one for name in names]].astype(np.float64).mean(axis=0) for one in sums])
    np.testing.assert_allclose(balanced_mean(sums), means.mean(axis=0), rtol=0, atol=1e-15)
    assert cluster_standard_error(sums).shape == (dimensions,)
