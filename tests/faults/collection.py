"""Small files that represent photos; `embedder.py` decides their outcomes."""

from __future__ import annotations

import os
from pathlib import Path

_KINDS = (b"face", b"faces", b"face", b"nobody", b"face", b"refuse", b"face")


def make(folder: Path, photos: int, crash: int) -> Path:
    """Photos of all kinds in folders of seven, which are their labels; number `crash` kills its worker.

    They have one age, so that runs over two such collections plan the same.
    """
    for number in range(photos):
        kind = b"crash" if number == crash else _KINDS[number % 7]
        path = folder / f"label{number // 7:03d}" / f"photo{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kind + b" %d " % number + bytes(number % 50))
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder
