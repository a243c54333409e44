"""Network and landmarks have the same bits on other processors: 64-bit ARM by emulation, and shorter registers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from meanface.embedder import dlib_models
from meanface.embedder.decode import Photo, Pixels
from meanface.embedder.detector import open_detector
from meanface.embedder.embedder import DlibEmbedder, detect_faces
from meanface.embedder.landmarks import DlibLandmarks
from meanface.embedder.network import NativeNetwork, usable_kernels
from meanface.embedder.orientation import UPRIGHT
from meanface.photo_settings import FaceRules

NATIVE = Path(__file__).parents[3] / "embedding_image/native"
PROGRAM = Path(__file__).parent / "native/bits.cpp"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not usable_kernels(), reason="the native network is not there"),
]


@dataclass(frozen=True)
class Target:
    """A processor, and how its programs are made and run here."""

    kernels: str
    compiler: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...] = ()

    def missing(self) -> str:
        return ", ".join(name for name in (self.compiler, *self.emulator) if not shutil.which(name))


TARGETS = {
    "aarch64": Target("NEON_NETWORK", "aarch64-linux-gnu-g++", ("-static",), ("qemu-aarch64",)),
    "registers of four floats": Target("NARROW_NETWORK", "g++", ("-mavx2", "-mfma", "-DMEANFACE_NARROW")),
}


@pytest.fixture(scope="module", params=TARGETS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Command of the program for each target in turn, compiled with the extension's flags."""
    target = TARGETS[request.param]
    if target.missing():
        pytest.skip(f"not installed: {target.missing()} (Debian: g++-aarch64-linux-gnu, qemu-user)")
    found = re.search(r"set\(FLAGS (.*)\)\n", (NATIVE / "CMakeLists.txt").read_text())
    assert found is not None
    sources = [PROGRAM, NATIVE / "predictor.cpp", *NATIVE.glob("network/*.cpp"), NATIVE / "network/kernels/kernels.cpp"]
    output = tmp_path_factory.mktemp("program") / "bits"
    flags = ["-std=c++17", *found[1].split(), "-fno-tree-vectorize", *target.flags]
    here = [f"-DNETWORK_KERNELS={target.kernels}", f"-I{NATIVE}"]
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
