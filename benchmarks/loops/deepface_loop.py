"""DeepFace's Dlib model with its dlib detector, in one loop."""

from __future__ import annotations

import sys
from pathlib import Path

from deepface import DeepFace

photos = [path for path in sorted(Path(sys.argv[1]).rglob("*")) if path.is_file()]
found = []
for path in photos:
    faces = DeepFace.represent(str(path), model_name="Dlib", detector_backend="dlib", enforce_detection=False)
    if faces[0]["face_confidence"]:  # without a face it embeds the whole photo
        found.append(faces[0]["embedding"])
print(len(photos), len(found), [sum(component) / len(found) for component in zip(*found, strict=True)][:4])
