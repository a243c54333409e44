"""Reduce the size of PNG screenshots in place: 256 colours, no metadata.

Usage: python scripts/palette.py PICTURE...
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image


def reduce(path: Path) -> None:
    """Reduce one picture, unless it has a palette already."""
    with Image.open(path) as image:
        if image.mode == "P":
            return
        small = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(path, optimize=True)


if __name__ == "__main__":
    for word in sys.argv[1:]:
        reduce(Path(word))
