"""A model card of YuNet and SFace compared with OpenCV's own FaceDetectorYN and FaceRecognizerSF."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from meanface.embedder.detector.dlib import Found
from meanface.embedder.models.detection import LandmarkedBox, distinct, fitted, yunet
from meanface.embedder.models.embedder import CardEmbedder
from meanface.embedder.models.opening import model_data
from meanface.settings import Settings
from zoo import SFACE, YUNET, zoo

SCORE, OVERLAP = 0.9, 0.3
"""thresholds of the card"""
NEAR = 1e-3
"""A score or an overlap that is so near to its threshold may fall on either side."""

pytestmark = pytest.mark.timeout(3000)


@pytest.fixture(scope="module")
def folder() -> Path:
    return zoo()


@pytest.fixture(scope="module")
def compared(folder: Path, archive: Path) -> list[dict[str, Any]]:
    """Of each photo the faces of both, and of OpenCV's faces what both make of them."""
    data = model_data(Settings(dataset="sample", embedder=str(folder / "sface.toml")))
    assert data is not None
    embedder = CardEmbedder(data)
    cv2.setNumThreads(1)
    detector = cv2.FaceDetectorYN.create(str(folder / YUNET), "", (250, 250), SCORE, OVERLAP, 5000)
    recognizer = cv2.FaceRecognizerSF.create(str(folder / SFACE), "")
    rows = []
    for name, photo in photos(archive):
        bgr = np.ascontiguousarray(photo[..., ::-1])
        detector.setInputSize(photo.shape[1::-1])
        theirs = detector.detect(bgr)[1]
        theirs = [] if theirs is None else list(theirs)
        ours = embedder.find(photo)
        faces = [LandmarkedBox((0, 0, 1, 1), face[4:14].astype(np.float64).reshape(5, 2)) for face in theirs]
        crops = [recognizer.alignCrop(bgr, face) for face in theirs]
        chips = [embedder.align(photo, face) for face in faces]
        rows.append(
            {
                "name": name,
                "ours": ours,
                "theirs": theirs,
                "same_chips": [np.array_equal(chip, crop[..., ::-1]) for chip, crop in zip(chips, crops, strict=True)],
                "from_their_points": embedder.embed(chips),
                "from_our_points": embedder.embed([embedder.align(photo, face.rectangle) for face in ours]),
                "expected": [unit(recognizer.feature(crop).ravel()) for crop in crops],
            }
        )
    return rows


def photos(archive: Path) -> Iterator[tuple[str, np.ndarray]]:
    with tarfile.open(archive) as members:
        for member in members:
            if member.isfile():
                data = members.extractfile(member)
                assert data is not None
                yield member.name, np.asarray(Image.open(io.BytesIO(data.read())).convert("RGB"))


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector.astype(np.float64))


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


def test_embeddings_from_our_own_points_are_opencvs(compared: list[dict[str, Any]]) -> None:
    """Points differ by 0.00002 pixels, which now and then rounds a pixel of a chip in the other direction."""
    pairs = [
        (ours.astype(np.float64), expected)
        for row in compared
        if len(row["ours"]) == len(row["theirs"])
        for ours, expected in zip(row["from_our_points"], row["expected"], strict=True)
    ]
    largest = np.array([np.abs(ours - expected).max() for ours, expected in pairs])
    cosine = max(1 - float(ours @ expected) for ours, expected in pairs)
    print(f"\ncomponents: median {np.median(largest):.2g}, largest {largest.max():.2g}; cosine distance {cosine:.2g}")
    assert np.median(largest) < 1e-4
    assert cosine < 1e-4


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
