"""Which detector runs, and that a machine without the native one does without."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanface.embedder.decode import Pixels
from meanface.embedder.detector import detector_name, open_detector, usable_kernels
from meanface.embedder.kernels import KernelChoice
from meanface.errors import SettingsError
from meanface.pipeline import embed, plan, reduce
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from other_cpus import SAMPLE_MEAN_SHA256
from synthetic import VectorWorkers, embeddings, write

WITHOUT_EXTENSION = """
import sys
sys.modules["meanface.embedder._native"] = None  # what an installation without a compiler comes to
from meanface.cli.app import main
main()
"""


def meanface(
    *words: str, detector: str | None = None, program: str = "from meanface.cli.app import main; main()"
) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "MEANFACE_KERNELS"}
    environment |= {"MEANFACE_KERNELS": detector} if detector else {}
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else f"{done.returncode}: {done.stderr}"


def test_auto_is_the_fastest_available() -> None:
    best = usable_kernels()[:1]
    assert detector_name(KernelChoice.AUTO) == (f"native-{best[0]}" if best else "dlib")
    assert open_detector().name == detector_name(KernelChoice.AUTO)


@pytest.mark.parametrize("choice", ["auto", "dlib", *usable_kernels()])
def test_a_detector_has_its_name(choice: str) -> None:
    assert open_detector(KernelChoice(choice)).name == detector_name(KernelChoice(choice))


@pytest.mark.parametrize("choice", sorted({"avx512", "avx2", "dotprod", "neon"} - {*usable_kernels()}))
def test_kernels_of_another_processor_are_refused(choice: str) -> None:
    with pytest.raises(SettingsError, match=f"MEANFACE_KERNELS={choice}: .*use auto"):
        open_detector(KernelChoice(choice))


def test_version_prints_the_detector() -> None:
    assert f"detector {detector_name(KernelChoice.AUTO)}\n" in meanface("version")
    assert "detector dlib\n" in meanface("version", detector="dlib")


def test_another_word_is_refused() -> None:
    printed = meanface("version", detector="fast")
    assert printed.startswith("2: ")
    assert "MEANFACE_KERNELS='fast': expected one of auto, native, avx512, avx2, dotprod, neon, dlib" in printed


def test_without_the_extension_dlib_runs() -> None:
    assert "detector dlib\n" in meanface("version", program=WITHOUT_EXTENSION)
    printed = meanface("version", detector="native", program=WITHOUT_EXTENSION)
    assert printed.startswith("2: ")
    assert "C++17 compiler" in printed


def sample_run(output: Path, detector: str) -> dict[str, Any]:
    meanface("run", "sample", "--output", str(output), "--workers", "1", detector=detector)
    return json.loads((output / "result.json").read_text())


@pytest.fixture(scope="module")
def by_dlib(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return sample_run(tmp_path_factory.mktemp("dlib"), "dlib")


@pytest.mark.long
@pytest.mark.parametrize("choice", ["auto", "avx512", "avx2"])
def test_a_run_has_the_same_bits_and_fingerprint_on_every_path(
    by_dlib: dict[str, Any], tmp_path: Path, choice: str
) -> None:
    if choice != "auto" and choice not in usable_kernels():
        pytest.skip(f"this machine has no native detector with {choice}")
    one = sample_run(tmp_path, choice)
    assert (one["mean"], one["fingerprint"]) == (by_dlib["mean"], by_dlib["fingerprint"])
    assert one["versions"]["detector"] == detector_name(KernelChoice(choice))
    assert by_dlib["versions"]["detector"] == "dlib"


@pytest.mark.skipif(not usable_kernels(), reason="dlib's own network has other last bits")
def test_the_samples_mean_is_the_one_of_every_machine(by_dlib: dict[str, Any], tmp_path: Path) -> None:
    np.save(tmp_path / "mean.npy", np.array(by_dlib["mean"]))
    assert hashlib.sha256((tmp_path / "mean.npy").read_bytes()).hexdigest() == SAMPLE_MEAN_SHA256


@pytest.mark.skipif(not usable_kernels(), reason="this machine has one detector only")
def test_a_result_names_the_detector_that_ran(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", {f"{number}.jpg": embeddings(1, number) for number in range(5)})
    run = Run("run", MemoryState("run"), Storage(str(tmp_path / "run")), kernels=KernelChoice.DLIB)
    plan(run, Settings(dataset=str(photos), partition_size=2, face_pixels=False))
    partitions = [partition.photos for partition in run.manifest().partitions]
    for partition in range(len(partitions)):
        embed(replace(run, kernels=KernelChoice.AUTO if partition else run.kernels), partition, VectorWorkers())
    by_dlib, by_best = partitions[0], sum(partitions[1:])
    detectors = f"dlib ({by_dlib} photos), native-{usable_kernels()[0]} ({by_best} photos)"
    assert reduce(run).versions["detector"] == detectors
    later = replace(run, state=MemoryState("run"))  # finds the ledger, and looks into no photo
    plan(later, run.manifest().settings)
    for partition in range(len(partitions)):
        embed(later, partition, VectorWorkers())
    assert reduce(later).versions["detector"] == detectors


def test_boxes_reach_beyond_the_photo(boxes: Callable, portraits: list[Pixels]) -> None:
    """They are dlib's own, which landmarks need; they are clipped only for display."""
    close = np.ascontiguousarray(portraits[1][40:230, 150:300])
    expected = boxes(open_detector(KernelChoice.DLIB), close)
    assert boxes(open_detector(), close) == expected
