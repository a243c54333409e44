"""What people write with face_recognition: one loop, one process. Prints photos and seconds, imports excluded."""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import face_recognition  # noqa: E402, TID253 - its import warns

started = time.perf_counter()
photos = [path for path in sorted(Path(sys.argv[1]).rglob("*")) if path.is_file()]
encodings = [face_recognition.face_encodings(face_recognition.load_image_file(path)) for path in photos]
total = sum(found[0] for found in encodings if found)
print(len(photos), time.perf_counter() - started)
