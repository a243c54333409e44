"""The native network: close to float64 and to dlib, with the same bits on every CPU and beside any chips."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.float64_network import Float64Network
from meanface.dataset import SAMPLE
from meanface.embedder import dlib_models
from meanface.embedder.decode import decode
from meanface.embedder.embedder import ReferenceEmbedder, detect_faces
from meanface.embedder.network import NativeNetwork, usable_kernels
from meanface.errors import DamagedRecord
from meanface.photo_settings import FaceRules, FacesPolicy
from meanface.settings import Settings
from meanface.stats.chip_sum import SHAPE

Chips = NDArray[np.uint8]

CHIPS_SHA256 = "d1f481a113b5c0b1417bb8ff5cbb09ae7d79583c2995fcc4d9a5abc6c71debca"
EMBEDDINGS_SHA256 = "e482ddc376fa7b8319a4a5c7d98263199d1680723b8aa5797defbb2f25241bf5"
"""of the sample's faces. Other bits are another recipe: with this value, raise `VERSION` in `network.py`."""

pytestmark = pytest.mark.skipif(not usable_kernels(), reason="the native network is not there")
BEST = (usable_kernels() or ["avx2"])[0]


@pytest.fixture(scope="module")
def reference() -> ReferenceEmbedder:
    return ReferenceEmbedder()


@pytest.fixture(scope="module")
def faces(reference: ReferenceEmbedder) -> Chips:
    """The chips of all faces in the built-in sample."""
    photos = [decode(path.read_bytes(), Settings(dataset="sample")) for path in sorted(SAMPLE.glob("*/*"))]
    rules = FaceRules(FacesPolicy.ALL)
    return np.stack([chip for photo in photos for chip in detect_faces(reference, photo, rules).chips.values()])


@pytest.fixture(scope="module")
def chips(faces: Chips) -> Chips:
    """Those faces, mirrored, darkened, with little contrast; noise, black and white."""
    noise = np.random.default_rng(7).integers(0, 256, (5, *SHAPE), np.uint8)
    flat = np.stack([np.full(SHAPE, value, np.uint8) for value in (0, 255)])
    return np.concatenate([faces, faces[:, :, ::-1], faces // 2, 96 + faces // 4, noise, flat])


@pytest.fixture(scope="module", params=["avx512", "avx2", "neon"])
def network(request: pytest.FixtureRequest) -> NativeNetwork:
    """The network with each kind of kernels in turn."""
    if request.param not in usable_kernels():
        pytest.skip(f"this machine cannot run kernels named {request.param}")
    return NativeNetwork(request.param)


@pytest.fixture(scope="module")
def best() -> NativeNetwork:
    return NativeNetwork(BEST)


@pytest.fixture(scope="module")
def embeddings(best: NativeNetwork, chips: Chips) -> NDArray[np.float32]:
    """Of each chip alone."""
    return np.concatenate([best.embed(chip[None]) for chip in chips])


def sha256(array: NDArray[np.generic]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def test_embeddings_are_close_to_float64_and_to_dlib(
    best: NativeNetwork, reference: ReferenceEmbedder, faces: Chips
) -> None:
    real = np.concatenate([faces, faces[:, :, ::-1]])
    ours = best.embed(real)
    assert len(faces) == 6
    assert np.abs(ours - Float64Network().embed(real)).max() < 7e-7
    assert np.abs(ours - reference.embed(list(real))).max() < 1e-6


def test_noise_black_and_white_are_no_exception(best: NativeNetwork, chips: Chips) -> None:
    assert np.abs(best.embed(chips[-7:]) - Float64Network().embed(chips[-7:])).max() < 7e-7


def test_bits_do_not_depend_on_the_chips_beside(
    network: NativeNetwork, chips: Chips, embeddings: NDArray[np.float32]
) -> None:
    random = np.random.default_rng(1)
    for count in (0, 1, 2, 3, 4, 5, 7, 12, 15, 16, 17, 23, 33, 70):
        order = random.integers(0, len(chips), count)
        np.testing.assert_array_equal(network.embed(chips[order]), embeddings[order])


def test_the_bits_are_those_of_every_machine(network: NativeNetwork, faces: Chips) -> None:
    """Other chips would have another cause: dlib's or Pillow's version."""
    assert sha256(faces) == CHIPS_SHA256
    assert sha256(network.embed(faces)) == EMBEDDINGS_SHA256


def test_another_order_of_additions_is_noticed(best: NativeNetwork, faces: Chips) -> None:
    """The same network, with the channels between two of its convolutions in another order."""
    from meanface.embedder import _native

    convolutions, matrix = dlib_models.layers(dlib_models.network_bytes())
    order = np.random.default_rng(3).permutation(128)
    parts = [(layer.filters, layer.biases) for layer in convolutions]
    parts[17] = tuple(part[order] for part in parts[17])
    parts[18] = parts[18][0][:, order], parts[18][1]
    flat = np.concatenate([part.ravel() for layer in parts for part in layer] + [matrix.ravel()])
    other = _native.Network(BEST, flat).embed(faces)
    assert np.abs(other - best.embed(faces)).max() < 1e-6
    assert sha256(other) != EMBEDDINGS_SHA256


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    damaged = bytearray(dlib_models.network_path().read_bytes())
    damaged[10_000_000] ^= 1
    path = tmp_path / "network.dat"
    path.write_bytes(damaged)
    with pytest.raises(DamagedRecord, match=r"network\.dat, dlib's network, has SHA-256 .* expected 55533b28"):
        NativeNetwork(BEST, path)


@pytest.mark.parametrize("more", [-1, 1])
def test_another_number_of_parameters_is_refused(more: int) -> None:
    from meanface.embedder import _native

    known = dlib_models.parameters(dlib_models.network_bytes())
    with pytest.raises(ValueError, match="parameters end too early" if more < 0 else "1 parameters too many"):
        _native.Network(BEST, np.resize(known, known.size + more))


def test_kernels_that_the_machine_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot run kernels named altivec"):
        NativeNetwork("altivec")


@pytest.mark.parametrize("wrong", [np.zeros((1, 150, 149, 3), np.uint8), np.zeros((1, *SHAPE), np.float32)])
def test_other_arrays_than_chips_are_refused(best: NativeNetwork, wrong: NDArray[np.generic]) -> None:
    with pytest.raises(TypeError, match="incompatible function arguments"):
        best.embed(wrong)


def test_networks_in_threads_of_their_own_give_the_same(chips: Chips, embeddings: NDArray[np.float32]) -> None:
    networks = [NativeNetwork(kernels) for kernels in usable_kernels() * 2]
    with ThreadPoolExecutor(len(networks)) as threads:
        for found in threads.map(lambda each: each.embed(chips), networks):
            np.testing.assert_array_equal(found, embeddings)


@pytest.fixture
def no_turns() -> Iterator[None]:
    """A thread goes on only when another one lets it."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(600)
    yield
    sys.setswitchinterval(interval)


def test_other_threads_run_meanwhile(best: NativeNetwork, no_turns: None) -> None:
    chips = np.zeros((256, *SHAPE), np.uint8)
    about_to_embed, has_embedded = Event(), Event()

    def embed() -> None:
        about_to_embed.set()
        best.embed(chips)
        has_embedded.set()

    thread = Thread(target=embed)
    thread.start()
    about_to_embed.wait()
    assert not has_embedded.is_set()
    thread.join()


@pytest.mark.skipif(not shutil.which("objdump"), reason="objdump (Debian: binutils) is not installed")
def test_the_compiler_fused_nothing_by_itself() -> None:
    """GCC 12 makes these of separate products and sums; the network's source has only plain ones."""
    from meanface.embedder import _native

    code = subprocess.run(["objdump", "-d", _native.__file__], capture_output=True, text=True, check=True).stdout
    assert "fmadd" in code or "fmla" in code
    assert "fmaddsub" not in code
    assert "fmsubadd" not in code
