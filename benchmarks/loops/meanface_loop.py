"""The work of a worker process in one loop: from bytes to embeddings, without other processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from meanface.embedder.embedder import open_embedder
from meanface.embedder.kernels import KernelChoice
from meanface.photo_settings import PhotoSettings
from meanface.settings import Settings
from meanface.workers.child import detect, embed
from meanface.workers.prefetch import GROUP_PHOTOS

settings = PhotoSettings.from_json(Settings(dataset=sys.argv[1]).model_dump_json())
embedder = open_embedder(settings, None, KernelChoice.of(os.environ.get("MEANFACE_KERNELS")))
photos = [path.read_bytes() for path in sorted(Path(sys.argv[1]).rglob("*")) if path.is_file()]
results = []
for start in range(0, len(photos), GROUP_PHOTOS):
    detected = [detect(data, embedder, settings) for data in photos[start : start + GROUP_PHOTOS]]
    results += embed(detected, embedder, settings)
print(len(photos), sum(bool(result.faces) for result in results))
