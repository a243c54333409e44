"""A model card of YuNet and SFace compared with OpenCV's own FaceDetectorYN and FaceRecognizerSF."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import opencv_judge
from meanface.embedder.detector.dlib import Found
from meanface.embedder.models.detection import LandmarkedBox, distinct, fitted, yunet
from meanface.embedder.models.embedder import CardEmbedder
from meanface.embedder.models.opening import model_data
from meanface.settings import Settings
from opencv_judge import OVERLAP, SCORE, Judge, photos
from zoo import YUNET, zoo

ALL = 2000
"""photos of the archive"""

NEAR = 1e-3
"""A score or an overlap that is so near to its threshold may fall on either side."""

SOME = 100
"""photos that OpenCV also searches without AVX"""

pytestmark = pytest.mark.timeout(3000)


class Difference:
    """How much unit vectors differ from others: of each the largest component, and the cosine distance."""

    def __init__(self, ours: np.ndarray, others: np.ndarray) -> None:
        components = np.abs(ours - others).max(axis=1)
        self.median, self.largest = float(np.median(components)), float(components.max())
        self.cosine = float((1 - (ours * others).sum(axis=1)).max())

    def __str__(self) -> str:
        return f"components: median {self.median:.2g}, largest {self.largest:.2g}; cosine distance {self.cosine:.2g}"


@pytest.fixture(scope="module")
def folder() -> Path:
    return zoo()


@pytest.fixture(scope="module")
def compared(folder: Path, archive: Path, count: int) -> list[dict[str, Any]]:
    """Of each photo the faces of both, and of OpenCV's faces what both make of them; of a quarter if not of all."""
    data = model_data(Settings(dataset="sample", embedder=str(folder / "sface.toml")))
    assert data is not None
    embedder = CardEmbedder(data)
    judge = Judge(folder)
    rows = []
    for name, photo in itertools.islice(photos(archive), count if count == ALL else max(count // 4, SOME)):
        theirs = judge.find(photo)
        ours = embedder.find(photo)
        faces = [LandmarkedBox((0, 0, 1, 1), face[4:14].astype(np.float64).reshape(5, 2)) for face in theirs]
        expected = [judge.align(photo, face) for face in theirs]
        chips = [embedder.align(photo, face) for face in faces]
        rows.append(
            {
                "name": name,
                "ours": ours,
                "theirs": theirs,
                "same_chips": [np.array_equal(chip, other) for chip, other in zip(chips, expected, strict=True)],
                "from_their_points": embedder.embed(chips),
                "from_our_points": embedder.embed([embedder.align(photo, face.rectangle) for face in ours]),
                "expected": [judge.embed(chip) for chip in expected],
            }
        )
    return rows


def explained(ours: list[Found], theirs: list[np.ndarray]) -> bool:
    """Whether a face that only one of the two has is as near to the threshold as rounding reaches."""
    scores = [face.score for face in ours] + [float(face[14]) for face in theirs]
    return any(abs(score - SCORE) < NEAR for score in scores)


def test_the_faces_are_opencvs(compared: list[dict[str, Any]]) -> None:
    """Their number, and each place within 0.001 pixels and score within 0.00001."""
    different = [row for row in compared if len(row["ours"]) != len(row["theirs"])]
    print(f"\n{len(compared)} photos, {sum(len(row['theirs']) for row in compared)} faces, {len(different)} differ")
    assert len(different) <= len(compared) / 1000
    assert all(explained(row["ours"], row["theirs"]) for row in different)
    for row in compared:
        if row not in different:
            for ours, theirs in zip(row["ours"], row["theirs"], strict=True):
                np.testing.assert_allclose(ours.rectangle.points.ravel(), theirs[4:14], rtol=0, atol=1e-3)
                assert abs(ours.score - float(theirs[14])) < 1e-5


def test_opencvs_own_outputs_give_opencvs_points_to_the_last_bit(folder: Path, archive: Path) -> None:
    """So what is left between the two is what ONNX Runtime and OpenCV compute differently in the network."""
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    network = cv2.dnn.readNet(str(folder / YUNET))
    faces = 0
    for _, photo in itertools.islice(photos(archive), 40):
        rows, columns = photo.shape[:2]
        detector = cv2.FaceDetectorYN.create(str(folder / YUNET), "", (columns, rows), SCORE, OVERLAP)
        expected = detector.detect(np.ascontiguousarray(photo[..., ::-1]))[1]
        picture, _ = fitted(photo, None)
        network.setInput(cv2.dnn.blobFromImage(np.ascontiguousarray(picture[..., ::-1])))
        found = yunet(dict(zip(names, network.forward(names), strict=True)), picture.shape[1], SCORE)
        kept = distinct(found, OVERLAP, whole=True)
        assert np.array_equal(found.points[kept].ravel(), expected[:, 4:14].ravel())
        faces += len(kept)
    assert faces >= 40


def test_the_same_points_give_the_same_pixels_and_embeddings(compared: list[dict[str, Any]]) -> None:
    """Pixels to the last bit, embeddings within 1e-5."""
    assert all(all(row["same_chips"]) for row in compared)
    largest = max(
        float(np.abs(ours - expected).max())
        for row in compared
        for ours, expected in zip(row["from_their_points"], row["expected"], strict=True)
    )
    print(f"\nlargest difference of a component from the same points: {largest:.2g}")
    assert largest < 1e-5


def difference(rows: list[dict[str, Any]]) -> Difference:
    """Between embeddings from our own points and OpenCV's, where both find the same faces."""
    same = [row for row in rows if len(row["ours"]) == len(row["theirs"]) > 0]
    ours = np.concatenate([row["from_our_points"] for row in same]).astype(np.float64)
    return Difference(ours, np.concatenate([row["expected"] for row in same]))


def test_embeddings_from_our_own_points_are_opencvs(compared: list[dict[str, Any]]) -> None:
    """Points differ by 0.00002 pixels, which now and then rounds a pixel of a chip in the other direction."""
    ours = difference(compared)
    print(f"\nfrom our own points: {ours}")
    assert ours.median < 1e-4
    assert ours.cosine < 1e-4


def test_opencv_without_avx_differs_as_much_from_itself(
    compared: list[dict[str, Any]], folder: Path, archive: Path, tmp_path: Path
) -> None:
    """So ours are as near to OpenCV's as those of OpenCV on another processor."""
    if "*AVX2" not in cv2.getCPUFeaturesLine().split():
        pytest.skip("OpenCV does not use AVX2 here")
    some = compared[:SOME]
    command = [sys.executable, opencv_judge.__file__, str(folder), str(archive), str(SOME), str(tmp_path / "faces.npy")]
    without = os.environ | {"OPENCV_CPU_DISABLE": "AVX,AVX2,FMA3,AVX512-SKX"}
    subprocess.run(command, check=True, env=without, capture_output=True)
    expected = np.concatenate([row["expected"] for row in some if row["theirs"]])
    opencv, ours = Difference(np.load(tmp_path / "faces.npy"), expected), difference(some)
    print(f"\nOpenCV without AVX: {opencv}\nours, of the same {len(some)} photos: {ours}")
    assert ours.median < 2 * opencv.median
    assert ours.largest < 2 * opencv.largest


def test_the_mean_has_the_same_bits_for_any_workers_partitions_and_retry(
    folder: Path, archive: Path, tmp_path: Path
) -> None:
    means = set()
    for name, options in (("a", ["--workers=1"]), ("b", ["--workers=2", "--partition-size=17"])):
        command = [sys.executable, "-m", "meanface", "run", str(archive), "--limit=100", f"--output={tmp_path / name}"]
        command += [f"--embedder={folder / 'sface.toml'}", "--quiet", *options]
        subprocess.run(command, check=True, capture_output=True)
        means.add((tmp_path / name / "mean.npy").read_bytes())
    for lost in list((tmp_path / "b").glob("ledger/*/*/*.parquet"))[::2]:
        lost.unlink()
    subprocess.run(command, check=True, capture_output=True)
    means.add((tmp_path / "b/mean.npy").read_bytes())
    assert len(means) == 1
