"""How the cost of `meanface run` grows with the collection: time and memory of 200, 2,000 and 20,000 photos."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import measured
from benchmarks.photos import files, written
from benchmarks.table import Goal, show
from meanface.system import available_cpus

SIZES = (200, 2_000, 20_000)


def growth(dataset: str) -> list[Goal]:
    """Measure and print; the dataset is repeated where it has fewer photos."""
    rows = []
    for photos in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            folder, results = written(Path(scratch, "photos"), files(dataset, photos)), str(Path(scratch, "results"))
            run = measured([sys.executable, "-m", "meanface", "run", str(folder), "--output", results])
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
    show(f"meanface run of {dataset}, {available_cpus()} cores, start-up included", head, rows)
    return []
