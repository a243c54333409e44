"""The usual program with face_recognition: one loop, one process."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import face_recognition  # noqa: E402, TID253 - its import warns

photos = [path for path in sorted(Path(sys.argv[1]).rglob("*")) if path.is_file()]
encodings = [face_recognition.face_encodings(face_recognition.load_image_file(path)) for path in photos]
found = [faces[0] for faces in encodings if faces]
print(len(photos), sum(found) / len(found))
