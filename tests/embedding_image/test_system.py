"""Processors and instruction sets; the latter decide the last bits of embeddings, so no two work on one run unasked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from detection import find_faces
from meanface import system
from meanface.dataset import SAMPLE
from meanface.embedder.decode import decode
from meanface.embedder.embedder import OnnxEmbedder
from meanface.embedder.recipe import recipe
from meanface.errors import Conflict
from meanface.pipeline import embed, plan
from meanface.pipeline.run import Run
from meanface.settings import FacesPolicy, Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.system import LEVELS, instruction_set, level
from meanface.workers.pool import Workers

OLDER = {"Haswell": ("x86-64-v4",), "SandyBridge": ("x86-64-v4", "x86-64-v3")}
"""QEMU's name of a processor -> levels of machines that take other kernels than it does; dlib's wheel needs its AVX"""
PORTRAIT = SAMPLE / "grace_hopper/grace_hopper.jpg"
EMBED = f"""
import sys
from meanface.embedder.embedder import OnnxEmbedder, detect_faces
from meanface.embedder.decode import decode
from meanface.photo_settings import FaceRules
from meanface.settings import FacesPolicy, Settings
photo = decode(open({str(PORTRAIT)!r}, "rb").read(), Settings(dataset="sample"))
embedder = OnnxEmbedder()
found = detect_faces(embedder, photo, FaceRules(FacesPolicy.FIRST))
embedding = embedder.embed([found.chips[0]])
sys.stdout.buffer.write(bytes(repr(tuple(found.found[0][0])), "ascii") + b"\\n" + embedding.tobytes())
"""


def cpuinfo(*levels: str) -> str:
    flags = sorted(set().union(*(LEVELS[name] for name in levels)))
    return f"processor : 0\nflags\t\t: fpu {' '.join(flags)}\nprocessor : 1\n"


def test_a_level_requires_all_lower_levels() -> None:
    assert level(cpuinfo("x86-64-v2", "x86-64-v3", "x86-64-v4")) == "x86-64-v4"
    assert level(cpuinfo("x86-64-v2", "x86-64-v3")) == "x86-64-v3"
    assert level(cpuinfo("x86-64-v2", "x86-64-v4")) == "x86-64-v2"
    assert level("flags : fpu sse2") == "x86-64"
    assert level("processor : 0\nBogoMIPS : 50.00\nFeatures : fp asimd") is None


def test_a_machine_without_cpuinfo_has_its_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "CPUINFO", tmp_path / "absent")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert instruction_set() == "arm64"


def test_arm_machines_have_their_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    found = []
    for features in ("fp asimd", "asimd fp", "fp asimd sve sme2"):
        system.CPUINFO.write_text(f"processor : 0\nBogoMIPS : 50.00\nFeatures : {features}\n")
        found.append(instruction_set())
    assert found == ["aarch64 asimd fp", "aarch64 asimd fp", "aarch64 asimd fp sme2 sve"]


def test_kernels_that_depend_on_the_number_of_chips_are_turned_off() -> None:
    """By a name that this ONNX Runtime knows."""
    import onnxruntime

    name = "mlas.disable_kleidiai"
    libraries = Path(onnxruntime.__file__).parent.glob("capi/*.so*")
    assert any(name.encode() in library.read_bytes() for library in libraries)
    assert OnnxEmbedder()._network.get_session_options().get_session_config_entry(name) == "1"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run("test", MemoryState("test"), Storage(str(tmp_path / "out")))


@pytest.fixture
def older_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo("x86-64-v2"))
    monkeypatch.setattr(system, "CPUINFO", tmp_path / "cpuinfo")


@pytest.mark.parametrize("mixed", [False, True])
def test_a_second_kind_of_machine_is_refused_or_allowed(run: Run, mixed: bool, request: pytest.FixtureRequest) -> None:
    settings = Settings(dataset="sample", mixed_instruction_sets=mixed)
    plan(run, settings)
    planned = recipe(settings)
    request.getfixturevalue("older_machine")
    assert (recipe(settings) == planned) is mixed
    with Workers(1, settings) as workers:
        if mixed:
            embed(run, 0, workers)
        else:
            with pytest.raises(Conflict, match="instruction set"):
                embed(run, 0, workers)
    assert run.state.committed() == ({0} if mixed else set())


@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="qemu-x86_64 (Debian: qemu-user) is not installed")
@pytest.mark.parametrize("processor", OLDER)
def test_another_instruction_set_finds_the_same_face_and_other_last_bits(processor: str) -> None:
    """The reason for all of this: an older processor, emulated, takes ONNX Runtime's other kernels."""
    if instruction_set() not in OLDER[processor]:
        pytest.skip(f"this machine's own instruction set, {instruction_set()}, is not above that of {processor}")
    (here,) = find_faces(
        OnnxEmbedder(), decode(PORTRAIT.read_bytes(), Settings(dataset="sample")).pixels, FacesPolicy.FIRST
    ).faces
    command = ["qemu-x86_64", "-cpu", processor, sys.executable, "-c", EMBED]
    told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    box, _, data = told.partition(b"\n")
    there = np.frombuffer(data, np.float32)
    assert box.decode() == repr(tuple(here.box))
    assert 0 < np.abs(here.embedding - there).max() < 1e-6


@pytest.mark.parametrize(("limits", "processors"), [
    (["200000 100000"], 2),
    (["50000 100000"], 1),
    (["max 100000"], 64),
    (["150000", "100000"], 2),
    (["-1", "100000"], 64),
    ([], 64),
])  # fmt: skip
def test_a_container_has_the_processors_of_its_limit(
    limits: list[str], processors: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / str(number) for number in range(max(len(limits), 1))]
    for file, text in zip(files, limits, strict=False):
        file.write_text(text)
    monkeypatch.setattr(system, "CPU_LIMITS", ((tmp_path / "none",), files))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert system.available_cpus() == processors
