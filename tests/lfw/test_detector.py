"""Real photos: on every path the boxes are dlib's, in dlib's order, and so is all that comes of them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lfw.conftest import ALL
from meanface.embedder.decode import Pixels
from meanface.embedder.detector import DlibDetector, Found, usable_kernels
from meanface.embedder.landmarks import DlibLandmarks, NativeLandmarks

HANDED_OVER = [
    "lfw/Cameron_Diaz/Cameron_Diaz_0006.jpg",
    "lfw/Diane_Ladd/Diane_Ladd_0001.jpg",
    "lfw/George_W_Bush/George_W_Bush_0439.jpg",
    "lfw/Gloria_Macapagal_Arroyo/Gloria_Macapagal_Arroyo_0039.jpg",
    "lfw/Gore_Verbinski/Gore_Verbinski_0001.jpg",
    "lfw/John_Williams/John_Williams_0001.jpg",
    "lfw/Lee_Ann_Knight/Lee_Ann_Knight_0001.jpg",
    "lfw/Sally_Ride/Sally_Ride_0002.jpg",
    "lfw/Silvio_Berlusconi/Silvio_Berlusconi_0004.jpg",
    "lfw/Silvio_Berlusconi/Silvio_Berlusconi_0010.jpg",
]
"""Photos that dlib is asked about. A window of the first one is 2.7e-6 below its threshold: it overlaps the better
face, and whether it is found is dlib's to say. A score of each other is within 2e-5 of the middle of two hundredths."""

LANDMARKS_HANDED_OVER = ["lfw/John_Connolly/John_Connolly_0001.jpg"]
"""Photos of whose faces dlib is asked for landmarks: a turn of this one is within 1e-15 of the middle of two floats."""

pytestmark = [
    pytest.mark.skipif(not usable_kernels(), reason="the native detector is not there"),
    pytest.mark.timeout(1200),
]


def photos(archive: Path) -> Iterator[tuple[str, Pixels]]:
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile() and (file := opened.extractfile(member)):
                yield member.name, np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))


def corners(found: list[Found]) -> list[tuple[int, int, int, int]]:
    return [(each.left(), each.top(), each.right(), each.bottom()) for each, _ in found]


def test_the_boxes_are_dlibs_and_the_coarse_scan_has_room(archive: Path, count: int) -> None:
    from meanface.embedder.detector.native import MARGIN, NativeDetector

    dlib, natives = DlibDetector(), [NativeDetector(kernels) for kernels in usable_kernels()]
    every_window = NativeDetector(usable_kernels()[0], exhaustive=True)
    asked: dict[str, list[str]] = {native.name: [] for native in natives}
    names: list[str] = []
    faces = 0
    too_low = -np.inf
    for name, photo in photos(archive):
        by_dlib = dlib.find(photo)
        expected, scores = corners(by_dlib), [face.score for face in by_dlib]
        seen, _ = natives[0].examine(photo)
        assert seen == every_window.examine(photo)[0]
        for native in natives:
            before = native.handed_over
            found = native.find(photo)
            assert corners(found) == expected
            assert [face.score for face in found] == scores
            asked[native.name] += [name] * (native.handed_over - before)
            assert native.examine(photo)[0] == seen  # the same bits, whatever the instructions
        too_low = max([too_low, *(score - coarse for *_, score, coarse, _ in seen)])
        names.append(name)
        faces += len(expected)
    print(
        f"{faces} faces in {len(names)} photos; dlib was asked about {asked}; "
        f"coarse scores are up to {too_low:.2f} too low, {MARGIN} are allowed"
    )
    assert len(names) == count
    assert list(asked.values()) == [[name for name in HANDED_OVER if name in names]] * len(natives)
    assert too_low < MARGIN / 2


def test_the_landmarks_are_dlibs(archive: Path, count: int) -> None:
    from meanface.embedder.detector.native import NativeDetector

    detector, native, dlib = NativeDetector(usable_kernels()[0]), NativeLandmarks(), DlibLandmarks()
    asked: list[str] = []
    names: list[str] = []
    faces = 0
    for name, photo in photos(archive):
        names.append(name)
        for box, _ in detector.find(photo):
            before = native.handed_over
            ours, theirs = ([(p.x, p.y) for p in each.find(photo, box).parts()] for each in (native, dlib))
            assert ours == theirs, name
            asked += [name] * (native.handed_over - before)
            faces += 1
    print(f"landmarks of {faces} faces; dlib was asked about those of {asked}")
    assert faces == 2139 if count == ALL else faces >= count
    assert asked == [name for name in LANDMARKS_HANDED_OVER if name in names]


@pytest.fixture(scope="module")
def tiles(archive: Path) -> list[Pixels]:
    """Every tenth photo."""
    return [photo for number, (_, photo) in enumerate(photos(archive)) if number % 10 == 0]


def test_montages_of_up_to_two_thousand_pixels(tiles: list[Pixels], count: int) -> None:
    """Photos side by side, as they are and in a size of their own."""
    from meanface.embedder.detector.native import NativeDetector

    dlib, natives = DlibDetector(), [NativeDetector(kernels) for kernels in usable_kernels()]
    faces, montages = 0, 24 * count // ALL
    for number in range(montages):
        random = np.random.default_rng(number)
        rows, columns = random.integers(1, 6, 2)
        chosen = random.choice(len(tiles), (rows, columns))
        whole = np.concatenate([np.concatenate([tiles[i] for i in row], axis=1) for row in chosen])
        width, height = (int(side) for side in random.integers(20, 2001, 2))
        for photo in (whole, np.asarray(Image.fromarray(whole).resize((width, height)))):
            expected = corners(dlib.find(photo))
            for native in natives:
                assert corners(native.find(photo)) == expected, number
            faces += len(expected)
    print(f"{faces} faces in {montages} montages; dlib was asked about {[native.handed_over for native in natives]}")
    assert faces >= 5 * montages
    assert all(native.handed_over <= 2 for native in natives)


def ledger(output: Path) -> pa.Table:
    """Every row; the content, not its encoding."""
    chunks = sorted(output.glob("ledger/*/*/*.parquet"))
    return pa.concat_tables([pq.read_table(chunk).replace_schema_metadata(None) for chunk in chunks])


def test_the_embeddings_have_the_same_bits_on_every_path(archive: Path, count: int, tmp_path: Path) -> None:
    """All faces of some photos by one detector: boxes, embeddings, aligned faces, mean and fingerprint."""
    some = count * 3 // 20
    folder = tmp_path / "photos"
    folder.mkdir()
    with tarfile.open(archive) as opened:
        members = [member for member in opened if member.isfile()]
        opened.extractall(folder, members[:: count // some][:some], filter="data")
    results, ledgers = [], []
    for detector in ["dlib", *usable_kernels()]:
        output = tmp_path / detector
        command = [
            sys.executable,
            "-m",
            "meanface",
            "run",
            str(folder),
            "--output",
            str(output),
            "--faces",
            "all",
        ]
        environment = os.environ | {"MEANFACE_KERNELS": detector}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        result = json.loads((output / "result.json").read_text())
        assert detector in result["versions"]["detector"]
        results.append([result["mean"], result["fingerprint"], (output / "mean_face.png").read_bytes()])
        ledgers.append(ledger(output))
    by_dlib = ledgers[0]
    assert by_dlib["embedding"].is_valid().to_pylist().count(True) >= some
    assert all(each.equals(by_dlib) for each in ledgers)
    assert all(each == results[0] for each in results)
