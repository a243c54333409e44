"""Measure `plan` of a bucket of any number of photos, which exist as a listing only.

Pages arrive as S3 answers them, 1,000 names at a time, but without a network. A real bucket lists its names in order;
a tenth of the photos are also planned in another order, for which the list has to be merged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import fsspec

from benchmarks import ROOT
from benchmarks.measure import memory_of
from benchmarks.table import Goal, print_table
from meanface.pipeline import plan
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage

PAGE = 1000
"""names of an answer of S3"""
PRIME = 7_368_787
"""greater than the number of pages: its multiples visit each once"""


class SyntheticBucket(fsspec.AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Answers `list_objects_v2`, as s3fs does."""

    protocol = "s3"
    photos = 0
    shuffled = False

    def call_s3(self, _: str, *, Bucket: str, Prefix: str, ContinuationToken: str = "0") -> dict[str, Any]:  # noqa: ARG002, N803 - as s3fs has it
        """One page."""
        number, pages = int(ContinuationToken), -(-self.photos // PAGE)
        page = number * PRIME % pages if self.shuffled else number
        names = range(page * PAGE, min((page + 1) * PAGE, self.photos))
        found = [
            {"Key": f"{Prefix}{n // PAGE:06}/IMG_{n:09}.jpg", "Size": 50_000 + n % 9973, "ETag": f'"{n * n:032x}"'}
            for n in names
        ]
        return {"Contents": found, "IsTruncated": number + 1 < pages, "NextContinuationToken": str(number + 1)}


def measured(photos: int, *, shuffled: bool) -> dict[str, float]:
    """Plan the bucket: seconds, peak memory, peak of temporary files, and bytes of the photo lists."""
    SyntheticBucket.photos, SyntheticBucket.shuffled = photos, shuffled
    fsspec.register_implementation("s3", SyntheticBucket, clobber=True)
    with tempfile.TemporaryDirectory() as scratch:
        temporary, ended, most = Path(scratch, "tmp"), threading.Event(), [0]
        temporary.mkdir()
        tempfile.tempdir = str(temporary)

        def watch() -> None:
            while not ended.wait(1):
                most[0] = max(most[0], _bytes(temporary))
                print(f"{time.perf_counter() - started:,.0f} s", end="\r", file=sys.stderr)

        watcher = threading.Thread(target=watch)
        started = time.perf_counter()
        watcher.start()
        try:
            run = Run("synthetic", MemoryState("synthetic"), Storage(f"{scratch}/run"))
            manifest = plan(run, Settings(dataset="s3://synthetic/photos"))
            seconds = time.perf_counter() - started
        finally:
            ended.set()
            watcher.join()
        return {
            "seconds": seconds,
            "peak": memory_of(os.getpid()),
            "temporary": most[0],
            "lists": _bytes(Path(scratch, "run", run.plan_files(manifest).photo_lists)),
            "partitions": len(manifest.partitions),
        }


def plans(photos: int) -> list[Goal]:
    """Measure and print the figures; the goals."""
    rows, peak = [], 0.0
    for count, order in ((photos, "sorted"), (photos // 10, "shuffled")):
        command = [sys.executable, "-m", "benchmarks.synthetic_bucket", str(count), order]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
        found = json.loads(output.rsplit("measured", maxsplit=1)[-1])
        numbers = (
            f"{found['seconds']:,.0f}",
            f"{found['seconds'] / count * 1e6:.1f}",
            f"{found['peak'] / 1e6:,.0f}",
            f"{found['temporary'] / 1e6:,.0f}",
            f"{found['lists'] / count:.1f}",
            f"{found['partitions']:,}",
        )
        rows.append((f"{count:,} photos, {order}", *numbers))
        peak = max(peak, found["peak"] / 1e6)
    columns = ("seconds", "µs a photo", "peak MB", "MB of temporary files", "bytes a photo in the lists", "partitions")
    print_table("plan of a bucket", ("of", *columns), rows)
    return [Goal(f"memory of plan of {photos:,} photos", peak, 4000, " MB", at_most=True)]


def _bytes(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # removed meanwhile
            continue
    return total


if __name__ == "__main__":
    print("\nmeasured", json.dumps(measured(int(sys.argv[1]), shuffled=sys.argv[2] == "shuffled")))
