"""What large photos cost: seconds and memory of portraits of 12 to 48 megapixels, whole and with `max_side`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Measured, measured
from benchmarks.photos import files, written
from benchmarks.table import Goal, show

MEGAPIXELS = (12, 24, 48)
"""of cameras in phones"""

MAX_SIDES = (None, 1600)

FEW, MANY = 1, 5


def large() -> list[Goal]:
    """Measure and print; each photo is the first of the sample, enlarged to 4:3 and written as a JPEG again."""
    _, data = files("sample", 1)[0]
    rows = []
    for megapixels in MEGAPIXELS:
        for max_side in MAX_SIDES:
            with tempfile.TemporaryDirectory() as scratch:
                photo = (".jpg", _enlarged(data, megapixels))
                folders = (written(Path(scratch, str(count)), [photo] * count) for count in (FEW, MANY))
                few, many = (_run(folder, Path(scratch, "results"), max_side) for folder in folders)
            rows.append(
                (
                    f"{megapixels} megapixels",
                    f"{max_side:,}" if max_side else "none",
                    f"{(many.seconds - few.seconds) / (MANY - FEW):.2f}",
                    f"{max(many.peaks[1:]) / 1e6:,.0f}",
                )
            )
    show("large photos, one worker on one core", ("photo", "max_side", "seconds", "peak MB of a worker"), rows)
    return []


def _run(folder: Path, results: Path, max_side: int | None) -> Measured:
    command = [sys.executable, "-m", "meanface", "run", str(folder), "--output", str(results / folder.name)]
    return measured([*command, *(["--max-side", str(max_side)] if max_side else [])], cpus=1)


def _enlarged(data: bytes, megapixels: int) -> bytes:
    """The photo as a JPEG of so many megapixels."""
    from PIL import Image

    side = round((megapixels * 1e6 / 12) ** 0.5)
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((4 * side, 3 * side)).save(out, "JPEG", quality=90)
    return out.getvalue()
