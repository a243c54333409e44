"""Compare Pillow and libjpeg-turbo for JPEGs: processor time, and whether the pixels are the same.

.venvs/uv/bin/uv run --no-project --with pillow==13.0.0 --with simplejpeg==1.9.0
benchmarks/loops/decoders.py FOLDER
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


def by_pillow(data: bytes) -> Any:
    """Decode as meanface does."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return np.asarray(image.convert("RGB"), order="C")


def timed(decode: Callable[[bytes], Any], data: bytes) -> tuple[Any, float]:
    """Decode a photo; the pixels and the milliseconds."""
    started = time.thread_time()
    return decode(data), (time.thread_time() - started) * 1e3


photos = [path.read_bytes() for path in sorted(Path(sys.argv[1]).rglob("*.jpg"))]
same, ratios = 0, []
for photo in photos:
    (pixels, pillow), (other, turbo) = timed(by_pillow, photo), timed(simplejpeg.decode_jpeg, photo)
    same += np.array_equal(pixels, other)
    ratios.append(pillow / turbo)
times = statistics.median(ratios)
print(f"{same} of {len(photos)} photos have the same pixels; Pillow takes {times:.2f} times as long")
