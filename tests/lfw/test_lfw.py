"""Real photos: the same bits whatever the way, the reference's embeddings, NumPy's and SciPy's statistics.

Needs `lfw-2000.tgz` (photos of Labeled Faces in the Wild, one folder per person) in a folder `shared` beside the
checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from lfw.conftest import ALL
from meanface.embedder.network import usable_kernels
from meanface.results.reader import Result
from meanface.stats.two_sample import Side, difference
from references import check_statistics, chip_sum, faces
from reportpage import Page

ROOT = Path(__file__).parents[2]
BY_PERSON = ["--labels", "parent_folder"]
MEANFACE = [sys.executable, "-m", "meanface"]

pytestmark = pytest.mark.timeout(1200)


def run(dataset: Path, output: Path, *options: object) -> dict[str, object]:
    command = [*MEANFACE, "run", str(dataset), "--output", str(output), *map(str, options)]
    subprocess.run(command, check=True, capture_output=True)
    return result(output)


def result(folder: Path) -> dict[str, object]:
    """What is in `result.json`, and the picture of the mean face."""
    picture = {"picture": (folder / "mean_face.png").read_bytes()}
    return json.loads((folder / "result.json").read_text()) | picture


def bits(found: dict[str, object]) -> list[object]:
    """What may depend on the photos only."""
    return [found[name] for name in ("mean", "outcomes", "picture")]


@pytest.fixture(scope="module")
def finished(archive: Path, count: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive in partitions of up to a sixth of it, two workers."""
    output = tmp_path_factory.mktemp("lfw")
    run(archive, output, *BY_PERSON, "--partition-size", count // 6, "--workers", 2)
    return output


@pytest.fixture(scope="module")
def expected(finished: Path) -> dict[str, object]:
    return result(finished)


@pytest.fixture(scope="module")
def folder(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("folder")
    with tarfile.open(archive) as opened:
        opened.extractall(unpacked, filter="data")
    return unpacked


WITH_FACE = {2000: 1992, 500: 497}
"""Photos in which `face_recognition` finds a face, by how many there are."""


def test_faces_are_those_that_face_recognition_finds(expected: dict[str, object], count: int) -> None:
    assert expected["photos"] == count
    with_face = WITH_FACE[count]
    assert expected["photos_with_face"] == with_face
    outcomes = {"ok": with_face, "no_face": count - with_face}
    assert {name: photos for name, photos in expected["outcomes"].items() if photos} == outcomes


MEAN_SHA256 = {
    2000: "214126f67f0d950f5e7b4a9a15d2d9a9970fe869f60f784f66d1bf8819518f0e",
    500: "661da0feb02d3699f203a6dddf6a9a6204fd7bc672955a5267eabf31c9612a16",
}
"""Of `mean.npy`: the same on every machine with a native network, until the recipe changes."""


@pytest.mark.skipif(not usable_kernels(), reason="dlib's own network has other last bits")
def test_the_mean_is_the_one_of_every_machine(finished: Path, count: int) -> None:
    assert hashlib.sha256((finished / "mean.npy").read_bytes()).hexdigest() == MEAN_SHA256[count]


def test_one_partition_and_one_worker_give_the_same_bits(
    finished: Path, expected: dict[str, object], archive: Path, count: int, tmp_path: Path
) -> None:
    """Of the mean and all statistics, and of the sum of the aligned faces."""
    found = run(archive, tmp_path, *BY_PERSON, "--partition-size", count + 1, "--workers", 1)
    assert (bits(found), found["fingerprint"]) == (bits(expected), expected["fingerprint"])
    assert found["statistics"] == expected["statistics"]
    assert len(list(tmp_path.glob("chips/*/*"))) == 1
    assert len(list(finished.glob("chips/*/*"))) == 16 if count == ALL else len(list(finished.glob("chips/*/*"))) > 4
    assert chip_sum(tmp_path) == chip_sum(finished)


def test_statistics_are_numpys_and_scipys(finished: Path) -> None:
    check_statistics(finished)


def test_the_report_is_complete_and_small(finished: Path) -> None:
    text = (finished / "report.html").read_text()
    page = Page(text)
    print(f"report.html: {len(text.encode()) / 1e6:.2f} MB")
    assert len(text.encode()) < 3_000_000
    assert page.loads_nothing()
    assert page.has_every_section()
    pictures = page.tags.count("img") - 1  # of the nearest and farthest faces; the mean face is the other one
    assert 2 * 10 <= pictures <= 2 * 12, "hardly a face is extreme in its run and not in its chunk"


def test_two_halves_without_a_common_person_do_not_differ_significantly(
    expected: dict[str, object], folder: Path, tmp_path: Path
) -> None:
    """By label; with faces as independent, as photos of one person are not, they would be far beyond it."""
    (photos,) = folder.iterdir()
    for number, person in enumerate(sorted(photos.iterdir())):
        shutil.copytree(person, tmp_path / "ab"[number % 2] / person.name)
    for half in "ab":
        run(tmp_path / half, tmp_path / f"of {half}", *BY_PERSON)
    command = [*MEANFACE, "compare", str(tmp_path / "of a"), str(tmp_path / "of b"), "--json"]
    summary = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    print(summary["verdict"])
    assert summary["difference"]["significant"] is False
    assert sum(summary["difference"]["labels"]) == expected["statistics"]["labels"]["labels"]
    assert (summary["shared_photos"], summary["difference"]["shared_labels"]) == (0, 0)
    a, b = (Side(Result.at(str(tmp_path / f"of {half}")).moments) for half in "ab")
    assert difference(a, b).significant


def test_a_folder_with_a_killed_process_gives_the_same_bits(
    expected: dict[str, object], folder: Path, count: int, tmp_path: Path
) -> None:
    options = ["--partition-size", str(count // 20), "--workers", "2"]
    command = [*MEANFACE, "run", str(folder), "--output", str(tmp_path), *options]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        while len(list(tmp_path.glob("ledger/*/*/*"))) < 10:
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (tmp_path / "result.json").exists()
    assert bits(run(folder, tmp_path, *options)) == bits(expected)


def test_the_dag_gives_the_same_bits_if_partitions_have_other_kernels(
    expected: dict[str, object], archive: Path, count: int, tmp_path: Path
) -> None:
    """As on a cluster with two kinds of processors; where this machine has one kind of kernels, all have those."""
    executable = tmp_path / "meanface"
    slowest = usable_kernels()[-1] if usable_kernels() else "auto"
    others = f'case "$*" in embed*--partition=0*) export MEANFACE_KERNELS={slowest} ;; esac'
    executable.write_text(f'#!/bin/sh\n{others}\nexec {sys.executable} -m meanface "$@"\n')
    executable.chmod(0o700)
    airflow = [ROOT / ".venvs/airflow/bin/python", ROOT / "scripts/local.py"]
    command = [*airflow, "run", "--dataset", str(archive), "--words", f"--partition-size {count // 2}"]
    home = os.environ | {"MEANFACE_HOME": str(tmp_path), "MEANFACE_EXECUTABLE": str(executable)}
    shown = subprocess.run(command, env=home, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    (written,) = tmp_path.rglob("runs/*/result.json")
    found = result(written.parent)
    assert bits(found) == bits(expected)
    assert len(list(written.parent.glob("ledger/*/*"))) > 1
    assert all(kernels in found["versions"]["detector"] for kernels in {*usable_kernels()[:1], *usable_kernels()[-1:]})


def test_every_face_is_embedded_as_by_face_recognition(archive: Path, count: int, tmp_path: Path) -> None:
    for embedder in ("dlib", "face_recognition"):
        options = ["--faces", "all", "--embedder", embedder, "--partition-size", count // 2]
        run(archive, tmp_path / embedder, *options)
    ours, theirs = faces(tmp_path / "dlib"), faces(tmp_path / "face_recognition")
    assert len(ours) >= WITH_FACE[count]
    where = ["photo", "face", "top", "right", "bottom", "left"]
    assert ours.select(where).equals(theirs.select(where))
    one, other = (np.stack(table["embedding"].to_numpy()) for table in (ours, theirs))
    difference = np.abs(one - other).max()
    print(f"largest difference over {len(ours)} faces: {difference:.3g}")
    assert difference <= 1e-6
    means = [np.array(result(tmp_path / embedder)["mean"]) for embedder in ("dlib", "face_recognition")]
    assert np.abs(means[0] - means[1]).max() < 1e-7
    assert result(tmp_path / "dlib")["picture"] == result(tmp_path / "face_recognition")["picture"]
