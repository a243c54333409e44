"""The native detector's numbers come from the installed dlib, and are whole or made anew."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from meanface.dataset import SAMPLE
from meanface.embedder.detector import usable_kernels
from meanface.embedder.detector.dlib_file import parse, saved
from meanface.errors import DamagedRecord

if TYPE_CHECKING:
    from meanface.embedder.detector.weights import Weights

needs_native = pytest.mark.skipif(not usable_kernels(), reason="the native detector is not there")
BEST = (usable_kernels() or ["avx2"])[0]


def test_dlib_saves_filters_thresholds_and_limits() -> None:
    filters = parse(saved())
    assert filters.weights.shape == (5, 31, 10, 10)
    np.testing.assert_allclose(filters.thresholds, [3.27450, 3.98682, 3.89594, 3.51487, 3.55803], atol=1e-5)
    np.testing.assert_allclose(filters.limits, [0.330082, 0.788571], atol=1e-6)


def test_another_detector_is_refused() -> None:
    data = bytearray(saved())
    data[1000] ^= 1
    with pytest.raises(DamagedRecord, match="MEANFACE_KERNELS=dlib"):
        parse(bytes(data))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Weights, Path]:
    """Weights that were derived, and the file that they were put in."""
    from meanface.embedder.detector import weights

    folder = tmp_path_factory.mktemp("cache")
    derived = weights.cached(BEST, str(folder))
    (file,) = folder.iterdir()
    return derived, file


@needs_native
def test_the_cache_returns_the_derived_weights(first: tuple[Weights, Path]) -> None:
    from meanface.embedder.detector import weights

    derived, file = first
    before = file.stat()
    for one, other in zip(derived, weights.cached(BEST, str(file.parent)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@needs_native
def test_a_cache_is_of_the_installed_dlib_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from meanface.embedder.detector import weights

    weights.cached(BEST, str(tmp_path))
    monkeypatch.setattr(weights, "saved", lambda: saved()[:-1])
    monkeypatch.setattr(weights, "dlib_version", lambda: "99.0")
    with pytest.raises(DamagedRecord, match="MEANFACE_KERNELS=dlib"):
        weights.cached(BEST, str(tmp_path))


@needs_native
@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"x" + data[1:], lambda data: data[:0]])
def test_a_damaged_cache_is_ignored_and_stays(first: tuple[Weights, Path], tmp_path: Path, damage) -> None:
    from meanface.embedder.detector import weights

    file = tmp_path / first[1].name
    damaged = damage(first[1].read_bytes())
    file.write_bytes(damaged)
    derived = weights.cached(BEST, str(tmp_path))
    assert all((one == other).all() for one, other in zip(derived, first[0], strict=True))
    assert file.read_bytes() == damaged


@needs_native
def test_a_cache_that_cannot_be_written_is_ignored(tmp_path: Path) -> None:
    from meanface.embedder.detector import weights

    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert weights.cached(BEST, os.fspath(blocked / "cache")).filters.shape == (5, 31, 10, 10)


@needs_native
def test_other_photos_of_the_sample_are_another_derivation() -> None:
    """Who changes the sample raises `DERIVATION`, so that no cache keeps weights of the earlier photos."""
    from meanface.embedder.detector import weights

    content = b"".join(path.read_bytes() for path in sorted(SAMPLE.glob("*/*")))
    assert (weights.DERIVATION, hashlib.sha256(content).hexdigest()[:16]) == (3, "2905e89fb84353cf")


@needs_native
def test_projections_of_the_sample_fill_the_codes() -> None:
    from meanface.embedder.detector import weights

    features = np.random.default_rng(3).uniform(0, 0.4, (5000, 31)).astype(np.float32)
    projection, coarse, units = weights.compressed(parse(saved()).weights, features)
    assert np.abs(features @ projection.T).max() == pytest.approx(63, rel=1e-5)
    largest = np.abs(coarse.astype(int)).max(axis=(1, 2, 3))
    assert (largest > 100).all()
    assert (largest <= 127).all()
    assert (units > 0).all()


@needs_native
def test_sums_of_the_coarse_weights_fit_in_16_bits() -> None:
    """Of two codes over five columns, whatever the codes: a sum that did not fit would lose faces."""
    from meanface.embedder.detector import weights

    loaded = weights.cached(usable_kernels()[0])
    pairs = loaded.coarse.astype(int).reshape(5, 10, 2, 5, 6, 2)
    for signed in (pairs, -pairs):
        assert 127 * signed.clip(0).sum(axis=(3, 5)).max() < 2**15
    larger = loaded._replace(coarse=np.full_like(loaded.coarse, 60))
    with pytest.raises(ValueError, match="too large"):
        larger.detector(usable_kernels()[0])
