"""Measure large photos: 12 to 48 megapixels, in full size and with `max_side`."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.measure import Measured, measure
from benchmarks.photos import read_photos, write_photos
from benchmarks.table import Goal, print_table
from meanface.embedder.decode import decode
from meanface.embedder.detector import open_detector
from meanface.embedder.embedder import open_embedder
from meanface.settings import Settings

MEGAPIXELS = (12, 24, 48)
"""as of phone cameras"""

MAX_SIDES = (None, 1600)

FEW, MANY = 1, 5

ROUNDS = {"hog": 8, "cnn": 4}
"""of each detector"""

DETECTED = 50_000_000
"""pixels of all repetitions of a photo, to measure the detector alone"""


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
    large, small = (_detection(pixels) for pixels in (_enlarged(data, MEGAPIXELS[0]), _reduced(data)))
    print(f"\ndetector, nanoseconds of processor time for a pixel of the photo: {large:.1f}, of 250 x 250: {small:.1f}")
    what = f"detector, a pixel of {MEGAPIXELS[0]} megapixels, times one of a small photo"
    return [Goal(what, large / small, 1.3, "x", at_most=True), *_upsampling(_enlarged(data, MEGAPIXELS[0]))]


def _upsampling(data: bytes) -> list[Goal]:
    """Compare upsample=0 with 1, in one process and in turn: a detector, and a photo from bytes to embedding."""
    rows = []
    for kind, rounds in ROUNDS.items():
        settings = {upsample: Settings(dataset="sample", upsample=upsample, detector=kind) for upsample in (0, 1)}
        embedders = {upsample: open_embedder(each) for upsample, each in settings.items()}
        detector: dict[int, list[float]] = {0: [], 1: []}
        whole: dict[int, list[float]] = {0: [], 1: []}
        for _ in range(rounds):
            for upsample, embedder in embedders.items():
                started = time.process_time()
                photo = decode(data, settings[upsample])
                decoded = time.process_time()
                faces = embedder.find(photo.pixels)
                detector[upsample].append(time.process_time() - decoded)
                embedder.embed([embedder.align(photo.pixels, face.rectangle) for face in faces])
                whole[upsample].append(time.process_time() - started)
        for what, seconds in (
            (f"{kind.upper()}, detector alone", detector),
            (f"{kind.upper()}, photo to embedding", whole),
        ):
            none, once = (median(seconds[upsample][1:]) for upsample in (0, 1))  # the first round finds new memory
            rows.append((what, f"{once:.3f}", f"{none:.3f}", f"{once / none:.2f}"))
    title = f"{MEGAPIXELS[0]} megapixels, seconds of processor time, medians without the first round"
    print_table(title, ("", "upsample=1", "upsample=0", "times as fast"), rows)
    what = f"{MEGAPIXELS[0]} megapixels, upsample=0, times 1"
    return [Goal(f"{what}: {part}", float(times), 3.5, "x") for part, _, _, times in rows]


def _detection(data: bytes) -> float:
    """Nanoseconds of processor time that the detector takes for a pixel of a photo; the least of several."""
    photo = decode(data, Settings(dataset="sample")).pixels
    detector = open_detector()
    pixels = photo.shape[0] * photo.shape[1]
    seconds = []
    for _ in range(max(3, round(DETECTED / pixels))):
        started = time.process_time()
        detector.find(photo)
        seconds.append(time.process_time() - started)
    return min(seconds) / pixels * 1e9


def _reduced(data: bytes) -> bytes:
    """Reduce a photo to 250 x 250 pixels; a PNG."""
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((250, 250)).save(out, "PNG")
    return out.getvalue()


def _run(folder: Path, results: Path, max_side: int | None) -> Measured:
    command = [sys.executable, "-m", "meanface", "run", str(folder), "--output", str(results / folder.name)]
    return measure([*command, *(["--max-side", str(max_side)] if max_side else [])], cpus=1)


def _enlarged(data: bytes, megapixels: int) -> bytes:
    """Enlarge a photo to so many megapixels, in its own shape; a JPEG."""
    from PIL import Image

    photo = Image.open(io.BytesIO(data)).convert("RGB")
    times = (megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
    out = io.BytesIO()
    photo.resize((round(times * photo.width), round(times * photo.height))).save(out, "JPEG", quality=90)
    return out.getvalue()
