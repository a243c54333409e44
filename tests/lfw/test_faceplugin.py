"""A card of an npm package's embedder compared with that package's own pipeline, written again with OpenCV.

The package finds boxes (Ultra-Light, 320 x 240), 68 landmarks in the square around each, five points of these, and
brings eyes and nose to ArcFace's places. Its detector has no points, so the card has dlib's.
"""

from __future__ import annotations

import io
import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from faceplugin import DETECTOR, EMBEDDER, LANDMARKS, faceplugin
from meanface.dataset import SAMPLE
from meanface.embedder.models.alignment import TEMPLATES
from meanface.embedder.models.detection import LandmarkedBox
from meanface.embedder.models.embedder import CardEmbedder
from meanface.embedder.models.opening import model_data
from meanface.settings import Settings

SHARE = 10
"""one in so many of LFW's photos is compared, besides the sample"""
SCORE, OVERLAP = 0.65, 0.4
"""the package's thresholds"""
EYES = ((37, 38, 40, 41), (43, 44, 46, 47))
MOUTH = ((48, 60), (54, 64))

pytestmark = pytest.mark.timeout(3000)


class Package:
    """The package's pipeline; its pictures come from a browser as RGBA, which it takes for BGR in two places."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._detector, self._landmarks, self._embedder = (
            onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
            for name in (DETECTOR, LANDMARKS, EMBEDDER)
        )

    def boxes(self, photo: np.ndarray) -> list[tuple[int, int, int, int]]:
        """Left, top, right, bottom of squares around the faces, as far as they lie within the photo."""
        rows, columns = photo.shape[:2]
        small = cv2.resize(photo, (320, 240))[..., ::-1]
        scores, places = self._detector.run(["scores", "boxes"], {"input": planes(small)})
        likely = scores[0, :, 1] >= SCORE
        left = sorted(places[0][likely] * (320, 240, 320, 240), key=lambda box: float(box[3]))
        squares = []
        while left:
            first, *others = left
            left = [box for box in others if covered(box, first) < OVERLAP]
            x, half = (first[0] + first[2]) / 640 * columns, (first[3] - first[1]) / 480 * rows
            y = (first[1] + first[3]) / 480 * rows
            corners = (max(0, x - half), max(0, y - half), min(columns - 1, x + half), min(rows - 1, y + half))
            squares.append(tuple(map(int, corners)))
        return squares

    def points(self, photo: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        """Both eyes, the nose, both corners of the mouth."""
        left, top, right, bottom = box
        grey = cv2.cvtColor(cv2.resize(photo[top:bottom, left:right], (64, 64)), cv2.COLOR_BGR2GRAY)
        (found,) = self._landmarks.run(None, {"input": (grey / 256).astype(np.float32)[None, None]})
        marks = np.trunc(found.reshape(68, 2) * (right - left, bottom - top) + (left, top))
        return np.array([marks[list(group)].mean(axis=0) for group in (*EYES, (30,), *MOUTH)])

    def embedding(self, photo: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Divided by its length."""
        three = (given[:3].astype(np.float32) for given in (points, np.array(TEMPLATES["arcface_112"])))
        chip = cv2.warpAffine(photo, cv2.getAffineTransform(*three), (112, 112))
        vector = self._embedder.run(None, {"input": planes(chip)})[0][0].astype(np.float64)
        return vector / np.linalg.norm(vector)


def planes(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(((picture.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None])


def covered(box: np.ndarray, other: np.ndarray) -> float:
    """How much of a box another covers, with the package's additional pixel."""
    common = np.maximum(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]) + 1, 0)
    return float(common.prod() / (box[2:] - box[:2]).prod())


def photos(archive: Path, count: int) -> Iterator[np.ndarray]:
    for path in sorted(SAMPLE.glob("*/*")):
        yield np.asarray(Image.open(path).convert("RGB"))
    with tarfile.open(archive) as members:
        for member in itertools.islice((member for member in members if member.isfile()), count):
            data = members.extractfile(member)
            assert data is not None
            yield np.asarray(Image.open(io.BytesIO(data.read())).convert("RGB"))


@pytest.fixture(scope="module")
def folder() -> Path:
    return faceplugin()


@pytest.fixture(scope="module")
def compared(folder: Path, archive: Path, count: int) -> list[dict[str, Any]]:
    """Of each photo the package's faces, their embeddings by both, and dlib's faces with ours."""
    data = model_data(Settings(dataset="sample", embedder=str(folder / "faceplugin.toml")))
    assert data is not None
    embedder, package, rows = CardEmbedder(data), Package(folder), []
    for photo in photos(archive, count // SHARE):
        boxes = package.boxes(photo)
        points = [package.points(photo, box) for box in boxes]
        found = [face.rectangle for face in embedder.find(photo)]
        rows.append(
            {
                "boxes": boxes,
                "expected": [package.embedding(photo, five) for five in points],
                "same_points": embedder.embed([embedder.align(photo, LandmarkedBox((0, 0, 1, 1), f)) for f in points]),
                "centres": [((box.left() + box.right()) / 2, (box.top() + box.bottom()) / 2) for box in found],
                "own": embedder.embed([embedder.align(photo, box) for box in found]),
            }
        )
    return rows


def test_the_same_points_give_the_packages_embeddings(compared: list[dict[str, Any]]) -> None:
    """Each component within 1e-4."""
    pairs = [pair for row in compared for pair in zip(row["same_points"], row["expected"], strict=True)]
    largest = max(float(np.abs(ours - expected).max()) for ours, expected in pairs)
    print(f"\n{len(pairs)} faces in {len(compared)} photos; largest difference of a component: {largest:.2g}")
    assert len(pairs) > 0.9 * len(compared)
    assert largest < 1e-4


def test_dlibs_faces_are_those_of_the_package(compared: list[dict[str, Any]]) -> None:
    """In three photos of four; either detector finds faces that the other does not.

    Their embeddings are nearer to the package's than those of other photos' faces.
    """
    same = [row for row in compared if len(row["boxes"]) == len(row["centres"]) and all(map(inside, *of(row)))]
    single = [row for row in same if len(row["own"]) == 1]
    ours, theirs = (np.array([row[name][0] for row in single]) for name in ("own", "expected"))
    alike = ours.astype(np.float64) @ theirs.T
    own, others = np.diag(alike), alike[~np.eye(len(single), dtype=bool)]
    print(f"\nthe same faces in {len(same)} of {len(compared)} photos")
    print(f"cosine of a face's two embeddings: median {np.median(own):.2f}, lowest {own.min():.2f}")
    print(f"of faces of two photos: 99 % below {np.quantile(others, 0.99):.2f}")
    assert len(same) > 0.75 * len(compared)
    assert np.median(own) > np.quantile(others, 0.99)


def of(row: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Boxes and centres from left to right."""
    return sorted(row["boxes"]), sorted(row["centres"])


def inside(box: tuple[int, int, int, int], centre: tuple[float, float]) -> bool:
    return box[0] < centre[0] < box[2] and box[1] < centre[1] < box[3]
