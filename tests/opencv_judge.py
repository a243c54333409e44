"""OpenCV's own FaceDetectorYN and FaceRecognizerSF.

`python opencv_judge.py MODELS ARCHIVE COUNT OUTPUT` finds all faces in the first COUNT photos of the
archive and writes their embeddings as a NumPy file. It is a separate program because OpenCV reads
only at its start which CPU instructions it must not use (`OPENCV_CPU_DISABLE`).
"""

from __future__ import annotations

import io
import itertools
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from zoo import SFACE, YUNET

SCORE, OVERLAP = 0.9, 0.3
"""thresholds of the card"""


class Judge:
    """Detector and recogniser with the models in a folder, in one thread; photos are RGB."""

    def __init__(self, models: Path) -> None:
        cv2.setNumThreads(1)
        self._detector = cv2.FaceDetectorYN.create(str(models / YUNET), "", (250, 250), SCORE, OVERLAP, 5000)
        self._recognizer = cv2.FaceRecognizerSF.create(str(models / SFACE), "")

    def find(self, photo: np.ndarray) -> list[np.ndarray]:
        """Of each face its box, five points and score: float32[15]."""
        self._detector.setInputSize(photo.shape[1::-1])
        faces = self._detector.detect(_bgr(photo))[1]
        return [] if faces is None else list(faces)

    def align(self, photo: np.ndarray, face: np.ndarray) -> np.ndarray:
        """The face as pixels, RGB."""
        return np.ascontiguousarray(self._recognizer.alignCrop(_bgr(photo), face)[..., ::-1])

    def embed(self, chip: np.ndarray) -> np.ndarray:
        """The embedding, of length 1."""
        embedding = self._recognizer.feature(_bgr(chip)).ravel().astype(np.float64)
        return embedding / np.linalg.norm(embedding)


def photos(archive: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names and pixels of an archive's photos."""
    with tarfile.open(archive) as members:
        for member in members:
            if member.isfile():
                data = members.extractfile(member)
                assert data is not None
                yield member.name, np.asarray(Image.open(io.BytesIO(data.read())).convert("RGB"))


def _bgr(photo: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photo[..., ::-1])


if __name__ == "__main__":
    models, archive, count, output = sys.argv[1:]
    judge = Judge(Path(models))
    some = itertools.islice(photos(Path(archive)), int(count))
    np.save(output, [judge.embed(judge.align(photo, face)) for _, photo in some for face in judge.find(photo)])
