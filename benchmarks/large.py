"""Measure large photos: 12 to 48 megapixels, in full size and with `max_side`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Measured, measure
from benchmarks.photos import read_photos, write_photos
from benchmarks.table import Goal, print_table

MEGAPIXELS = (12, 24, 48)
"""as of phone cameras"""

MAX_SIDES = (None, 1600)

FEW, MANY = 1, 5


def large() -> list[Goal]:
    """Measure and print; each photo is the sample's first one, enlarged and encoded as JPEG."""
    _, data = read_photos("sample", 1)[0]
    rows = []
    for megapixels in MEGAPIXELS:
        for max_side in MAX_SIDES:
            with tempfile.TemporaryDirectory() as scratch:
                photo = (".jpg", _enlarged(data, megapixels))
                folders = (write_photos(Path(scratch, str(count)), [photo] * count) for count in (FEW, MANY))
                few, many = (_run(folder, Path(scratch, "results"), max_side) for folder in folders)
            rows.append(
                (
                    f"{megapixels} megapixels",
                    f"{max_side:,}" if max_side else "none",
                    f"{(many.seconds - few.seconds) / (MANY - FEW):.2f}",
                    f"{max(many.peaks[1:]) / 1e6:,.0f}",
                )
            )
    print_table("large photos, one worker on one core", ("photo", "max_side", "seconds", "peak MB of a worker"), rows)
    return []


def _run(folder: Path, results: Path, max_side: int | None) -> Measured:
    command = [sys.executable, "-m", "meanface", "run", str(folder), "--output", str(results / folder.name)]
    return measure([*command, *(["--max-side", str(max_side)] if max_side else [])], cpus=1)


def _enlarged(data: bytes, megapixels: int) -> bytes:
    """Enlarge a photo to so many megapixels; a JPEG."""
    from PIL import Image

    side = round((megapixels * 1e6 / 12) ** 0.5)
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((4 * side, 3 * side)).save(out, "JPEG", quality=90)
    return out.getvalue()
