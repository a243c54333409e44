"""The whole way from the sample's files to its mean on 64-bit ARM, under QEMU.

Python is Debian's, NumPy, Pillow and dlib are their wheels for ARM, in the versions that are installed here. The
extension is built by its own CMakeLists.txt. So decoding, resizing and chips are compared as well, which are not our
code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from meanface.embedder.network import usable_kernels
from other_cpus import NATIVE, SAMPLE_MEAN_SHA256

ROOT = Path(__file__).parents[3]
UV = ROOT / ".venvs/uv/bin/uv"

PYTHON = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libpython3.11-dev"),
    *(
        "libc6",
        "libgcc-s1",
        "libstdc++6",
        "zlib1g",
        "libexpat1",
        "libssl3",
        "libffi8",
        "libbz2-1.0",
        "liblzma5",
        "libsqlite3-0",
    ),
)
"""Debian's packages of Python 3.11 and what it needs."""

WHEELS = ("dlib-bin", "numpy", "pillow", "pydantic-core")
"""What has compiled code on the way to an embedding."""

BUILD = ("cmake", "nanobind", "ninja")

MEAN = """
import hashlib
import io

import numpy as np

from meanface.dataset import SAMPLE
from meanface.embedder.decode import decode
from meanface.embedder.embedder import DlibEmbedder, detect_faces
from meanface.photo_settings import FaceRules
from meanface.settings import Settings
from meanface.stats.moments import Moments

settings, embedder, total = Settings(dataset="sample"), DlibEmbedder(), Moments.of(np.empty((0, 128), np.float32))
for path in sorted(SAMPLE.glob("*/*")):
    detection = detect_faces(embedder, decode(path.read_bytes(), settings), FaceRules())
    total += Moments.of(embedder.embed(list(detection.chips.values())))
file = io.BytesIO()
np.save(file, np.array(total.mean()))
print(embedder._detector.name, embedder._network.name, hashlib.sha256(file.getvalue()).hexdigest())
"""

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not usable_kernels(), reason="the native network is not there"),
]


def run(*command: object, **environment: str) -> str:
    """Run a command; its output."""
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def debian_packages(names: Sequence[str], folder: Path) -> Path:
    """Debian's packages for ARM, unpacked; this machine's own packages stay as they are."""
    state, root = folder / "apt", folder / "root"
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
    }
    apt = ["apt-get", "-qq", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    try:
        subprocess.run([*apt, "update"], check=True, capture_output=True)
        subprocess.run([*apt, "download", *names], check=True, capture_output=True, cwd=state)
    except subprocess.CalledProcessError as failure:
        pytest.skip(f"Debian's Python 3.11 for ARM cannot be fetched: {failure.stderr.decode().strip()[-200:]}")
    for package in state.glob("*.deb"):
        run("dpkg", "--extract", package, root)
    return root


def installed(target: Path, names: Sequence[str], *options: object) -> Path:
    """Packages of the index in a folder; skips the test if the index does not have them."""
    command = [UV, "pip", "install", "--quiet", "--no-deps", "--target", target, "--python", sys.executable, *options]
    done = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{', '.join(names)} cannot be fetched: {done.stderr.strip()[-200:]}")
    return target


def extension(root: Path, folder: Path) -> Path:
    """The extension for ARM."""
    locked = (ROOT / "embedding_image/requirements-build.txt").read_text().splitlines()
    pins = [line.split()[0] for line in locked if line.partition("==")[0] in BUILD]
    tools = installed(folder / "tools", pins)
    environment = {"PYTHONPATH": str(tools), "PATH": f"{tools}/bin:{os.environ['PATH']}"}
    headers, suffix = root / "usr/include", ".cpython-311-aarch64-linux-gnu.so"
    given = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "CMAKE_CXX_COMPILER": "aarch64-linux-gnu-g++",
        "CMAKE_CXX_FLAGS": f"-isystem {headers}",
        "Python_EXECUTABLE": sys.executable,
        "Python_INCLUDE_DIR": headers / "python3.11",
        "NB_SUFFIX": suffix,
    }
    defined = [f"-D{name}={value}" for name, value in given.items()]
    run("cmake", "-G", "Ninja", "-S", NATIVE, "-B", folder / "build", *defined, **environment)
    run("cmake", "--build", folder / "build", **environment)
    return folder / "build" / f"_native{suffix}"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Debian 12 has Python 3.11")
def test_the_samples_mean_is_the_same_on_64_bit_arm(tmp_path: Path) -> None:
    needed = ("apt-get", "dpkg", "aarch64-linux-gnu-g++", "qemu-aarch64")
    if missing := [name for name in needed if not shutil.which(name)]:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: g++-aarch64-linux-gnu, qemu-user)")
    root = debian_packages(PYTHON, tmp_path)
    pins = [f"{name}=={version(name)}" for name in WHEELS]
    wheels = installed(tmp_path / "wheels", pins, "--python-platform", "aarch64-manylinux_2_28")
    shutil.copytree(
        ROOT / "embedding_image/src/meanface", tmp_path / "own/meanface", ignore=shutil.ignore_patterns("*.so")
    )
    shutil.copy(extension(root, tmp_path), tmp_path / "own/meanface/embedder")
    others = Path(pytest.__file__).parents[1]  # packages without compiled code, and dlib's models
    places = os.pathsep.join(map(str, (tmp_path / "own", wheels, others)))
    emulated = ("qemu-aarch64", "-L", root, root / "usr/bin/python3.11")
    printed = run(*emulated, "-c", MEAN, PYTHONPATH=places, MEANFACE_CACHE=str(tmp_path / "cache"))
    assert printed.split() == ["native-dotprod", "native-neon", SAMPLE_MEAN_SHA256]
