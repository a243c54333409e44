"""The same bits on other processors and by other compilers: 64-bit ARM by emulation, shorter registers, Clang."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from meanface.embedder import dlib_models
from meanface.embedder.decode import Photo, Pixels
from meanface.embedder.detector import open_detector
from meanface.embedder.detector import usable_kernels as usable_detectors
from meanface.embedder.embedder import DlibEmbedder, detect_faces
from meanface.embedder.landmarks import DlibLandmarks
from meanface.embedder.network import NativeNetwork, usable_kernels
from meanface.embedder.orientation import UPRIGHT
from meanface.photo_settings import FaceRules

if TYPE_CHECKING:
    from meanface.embedder import _native

NATIVE = Path(__file__).parents[3] / "embedding_image/native"
PROGRAM = Path(__file__).parent / "native/bits.cpp"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not usable_kernels(), reason="the native network is not there"),
]


@dataclass(frozen=True)
class Target:
    """A processor, and how its programs are made and run here."""

    detector: str
    network: str
    compiler: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...] = ()

    def missing(self) -> str:
        return ", ".join(name for name in (self.compiler, *self.emulator) if not shutil.which(name))


AARCH64 = ("NEON_KERNELS", "NEON_NETWORK", "aarch64-linux-gnu-g++")
DOTPROD = ("DOTPROD_KERNELS", "NEON_NETWORK", "aarch64-linux-gnu-g++")
X86 = ("-mavx2", "-mfma")
TARGETS = {
    "aarch64": Target(*AARCH64, ("-march=armv8-a", "-static"), ("qemu-aarch64",)),
    "aarch64 with dot products": Target(*DOTPROD, ("-march=armv8.2-a+dotprod", "-static"), ("qemu-aarch64",)),
    "registers of four floats": Target("AVX2_KERNELS", "NARROW_NETWORK", "g++", (*X86, "-DMEANFACE_NARROW")),
    "Clang": Target("AVX2_KERNELS", "AVX2_NETWORK", "clang++", X86),
}


@pytest.fixture(scope="module", params=TARGETS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Command of the program for each target in turn, compiled with the extension's flags."""
    target = TARGETS[request.param]
    if target.missing():
        pytest.skip(f"not installed: {target.missing()} (Debian: g++-aarch64-linux-gnu, qemu-user, clang)")
    found = re.search(r"set\(FLAGS (.*)\)\n", (NATIVE / "CMakeLists.txt").read_text())
    assert found is not None
    extension = {"bindings.cpp", "dispatch.cpp"}
    parts = [path for pattern in ("*.cpp", "*/*.cpp", "*/*/*.cpp") for path in NATIVE.glob(pattern)]
    sources = [PROGRAM, *(path for path in parts if path.name not in extension)]
    output = tmp_path_factory.mktemp("program") / "bits"
    flags = ["-std=c++17", *found[1].split(), "-fno-tree-vectorize", *target.flags]
    here = [f"-DDETECTOR_KERNELS={target.detector}", f"-DNETWORK_KERNELS={target.network}", f"-I{NATIVE}"]
    subprocess.run([target.compiler, *flags, *here, *sources, "-o", output], check=True)
    return [*target.emulator, str(output)]


@pytest.fixture(scope="module")
def chips(portraits: list[Pixels]) -> NDArray[np.uint8]:
    """Two faces, and noise."""
    embedder = DlibEmbedder()
    photos = [Photo(pixels, UPRIGHT) for pixels in portraits]
    faces = [chip for photo in photos for chip in detect_faces(embedder, photo, FaceRules()).chips.values()]
    noise = np.random.default_rng(9).integers(0, 256, (1, *faces[0].shape), np.uint8)
    return np.concatenate([np.stack(faces), noise])


def native_detector() -> _native.Detector:
    from meanface.embedder.detector import weights

    kernels = usable_detectors()[0]
    return weights.cached(kernels).detector(kernels)


EMBED = """
import sys
from pathlib import Path
from meanface.embedder.decode import decode
from meanface.embedder.embedder import DlibEmbedder, detect_faces
from meanface.photo_settings import FaceRules
from meanface.settings import Settings
photo = decode(Path(sys.argv[1]).read_bytes(), Settings(dataset="sample"))
embedder = DlibEmbedder()
detection = detect_faces(embedder, photo, FaceRules())
(chip,) = detection.chips.values()
print(embedder._network.name, detection.found, embedder.embed([chip]).tobytes().hex(), sep=";")
"""


@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="qemu-x86_64 (Debian: qemu-user) is not installed")
def test_an_older_x86_finds_the_same_face_with_the_same_bits(portrait_files: list[Path]) -> None:
    """The whole way from a file to an embedding, as C's library has other code for an older processor, too."""
    command = [sys.executable, "-c", EMBED, str(portrait_files[0])]
    here, there = (
        subprocess.run([*emulator, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        for emulator in ([], ["qemu-x86_64", "-cpu", "Haswell"])
    )
    assert there.stdout.startswith("native-avx2;")
    assert there.stdout.split(";")[1:] == here.stdout.split(";")[1:]


def test_the_embeddings_are_the_same(program: list[str], chips: NDArray[np.uint8], tmp_path: Path) -> None:
    dlib_models.parameters(dlib_models.network_bytes()).tofile(tmp_path / "parameters")
    chips.tofile(tmp_path / "chips")
    command = [*program, "network", tmp_path / "parameters", tmp_path / "chips"]
    there = subprocess.run(command, capture_output=True, check=True).stdout
    here = NativeNetwork(usable_kernels()[0]).embed(chips)
    np.testing.assert_array_equal(np.frombuffer(there, np.float32).reshape(-1, 128), here)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The detector's weights as the program reads them."""
    from meanface.embedder.detector import weights

    file = tmp_path_factory.mktemp("weights") / "weights"
    loaded = weights.cached(usable_detectors()[0])
    wide = (loaded.thresholds, loaded.limits)
    others = (loaded.filters, loaded.projection, loaded.units, loaded.coarse)
    file.write_bytes(b"".join(np.ascontiguousarray(array).tobytes() for array in (*wide, *others)))
    return file


def test_the_features_are_the_same(
    program: list[str], weights_file: Path, portraits: list[Pixels], tmp_path: Path
) -> None:
    photo = np.ascontiguousarray(portraits[0])
    photo.tofile(tmp_path / "photo")
    command = [*program, "features", weights_file, tmp_path / "photo", *map(str, photo.shape[:2])]
    there = subprocess.run(command, capture_output=True, check=True).stdout
    here = native_detector().features(photo)
    np.testing.assert_array_equal(np.frombuffer(there, np.float32).reshape(here.shape), here)


@pytest.mark.parametrize("size", [(600, 512), (83, 301), (81, 80), (517, 79)])
def test_the_detector_finds_the_same_with_the_same_scores(
    program: list[str], weights_file: Path, portraits: list[Pixels], tmp_path: Path, size: tuple[int, int]
) -> None:
    """At odd sizes as well, and with lower thresholds, so that there are many windows."""
    rows, columns = size
    photo = np.tile(portraits[0], (2, 2, 1))[:rows, :columns].copy()
    photo.tofile(tmp_path / "photo")
    command = [*program, "detector", weights_file, tmp_path / "photo", str(rows), str(columns), "-0.8", "1.25"]
    *lines, certain = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    here, here_certain = native_detector().find(photo, adjust=-0.8, margin=1.25, tolerance=2e-5)
    there = [
        (*map(int, line.split()[:4]), *map(float.fromhex, line.split()[4:6]), int(line.split()[6])) for line in lines
    ]
    assert there == [tuple(face) for face in here]
    assert (certain == "certain") == here_certain


def test_the_landmarks_are_dlibs(program: list[str], portraits: list[Pixels], tmp_path: Path) -> None:
    for photo in portraits:
        (face, *_) = open_detector().find(photo)
        box = face.rectangle
        photo.tofile(tmp_path / "photo")
        numbers = [*photo.shape[:2], box.left(), box.top(), box.right(), box.bottom()]
        command = [*program, "landmarks", dlib_models.landmarks_path(), tmp_path / "photo", *map(str, numbers)]
        there = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        expected = DlibLandmarks().find(photo, box)
        assert there == "".join(f"{point.x} {point.y}\n" for point in expected.parts())
