"""The usual parallel program with face_recognition: the same loop in a pool of processes."""

from __future__ import annotations

import os
import sys
import warnings
from multiprocessing import Pool
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import face_recognition  # noqa: E402, TID253 - its import warns


def encoded(path: Path) -> list[Any]:
    """The encodings of a photo's faces."""
    encodings: list[Any] = face_recognition.face_encodings(face_recognition.load_image_file(path))
    return encodings


if __name__ == "__main__":
    photos = [path for path in sorted(Path(sys.argv[1]).rglob("*")) if path.is_file()]
    with Pool(len(os.sched_getaffinity(0))) as pool:
        encodings = pool.map(encoded, photos)
    found = [faces[0] for faces in encodings if faces]
    print(len(photos), sum(found) / len(found))
