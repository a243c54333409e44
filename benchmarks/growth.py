"""Measure how the time and memory of `meanface run` grow: 200, 2,000 and 20,000 photos."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import measure
from benchmarks.photos import read_photos, write_photos
from benchmarks.table import Goal, print_table
from meanface.system import available_cpus

SIZES = (200, 2_000, 20_000)


def growth(dataset: str) -> list[Goal]:
    """Measure and print; a dataset with fewer photos is repeated."""
    rows = []
    for photos in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            folder, results = (
                write_photos(Path(scratch, "photos"), read_photos(dataset, photos)),
                str(Path(scratch, "results")),
            )
            run = measure([sys.executable, "-m", "meanface", "run", str(folder), "--output", results])
            left = sum(file.stat().st_size for file in Path(results).rglob("*") if file.is_file())
        own, *workers = run.peaks
        rows.append(
            (
                f"{photos:,}",
                f"{run.seconds:.1f}",
                f"{run.seconds / photos * 1e3:.2f}",
                f"{own / 1e6:,.0f}",
                f"{max(workers) / 1e6:,.0f}",
                f"{left / photos:,.0f}",
            )
        )
    head = ("photos", "seconds", "ms a photo", "peak MB", "of a worker", "bytes left a photo")
    print_table(f"meanface run of {dataset}, {available_cpus()} cores, start-up included", head, rows)
    return []
