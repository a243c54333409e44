"""Large collections take little memory: a plan's list is kept in columns, and reduce streams the ledger."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.long
# The kernel's own peak: `ru_maxrss` also counts what the process was before exec, a copy of pytest.
PLAN = r"""
import re, sys
from pathlib import Path
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.pipeline import plan
from meanface.storage.files import Storage
from meanface.state import MemoryState

dataset, output = sys.argv[1:]
manifest = plan(Run("large", MemoryState("large"), Storage(output)), Settings(dataset=dataset))
peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]
print("\nplanned", manifest.photos, len(manifest.partitions), peak)
"""
# No server here has a bucket of that size: its answers are made, page by page.
BUCKET = r"""
import hashlib, sys
from s3fs import S3FileSystem

count = int(sys.argv.pop())

def call_s3(self, method, **asked):
    start = int(asked.get("ContinuationToken", 0))
    found = [
        {"Key": f"2026/albums/{n:07}.jpg", "Size": 1000 + n, "ETag": f'"{hashlib.sha256(b"%d" % n).hexdigest():.32}"'}
        for n in range(start, min(start + 1000, count))
    ]
    return {"Contents": found, "IsTruncated": start + 1000 < count, "NextContinuationToken": str(start + 1000)}

S3FileSystem.call_s3 = call_s3
"""


def shuffled(count: int) -> Iterator[str]:
    """Names in another order than theirs: 7919 has no factor in common with the count."""
    return (f"albums/photo-{n * 7919 % count:07}.jpg" for n in range(count))


def url_list(place: Path, count: int) -> Path:
    with (place / "urls.csv").open("w") as file:
        file.write("url\n")
        file.writelines(f"https://photos.example/{name}\n" for name in shuffled(count))
    return place / "urls.csv"


def folder(place: Path, count: int) -> Path:
    """Of empty files, in folders of a thousand."""
    for number, name in enumerate(shuffled(count)):
        album = place / "albums" / f"{number // 1000:04}"
        if number % 1000 == 0:
            album.mkdir(parents=True)
        os.mknod(album / name.removeprefix("albums/"))
    return place / "albums"


def archive(place: Path, count: int) -> Path:
    """Of empty files."""
    with (place / "photos.tar").open("wb") as file:
        for name in shuffled(count):
            file.write(tarfile.TarInfo(name).tobuf())
        file.write(bytes(1024))
    return place / "photos.tar"


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", [url_list, folder, archive, None], ids=["urls", "folder", "archive", "bucket"])
def test_plan_of_a_million_photos_takes_less_than_400_mb(
    kind: Callable[[Path, int], Path] | None, tmp_path: Path
) -> None:
    """From two lists that are smaller; `make bench-scale` lists the million."""

    def peak(count: int) -> int:
        place = tmp_path / str(count)
        place.mkdir()
        if kind is None:
            words = [BUCKET + PLAN, "s3://photos/2026/", str(place / "out"), str(count)]
        else:
            words = [PLAN, str(kind(place, count)), str(place / "out")]
        planned = subprocess.run([sys.executable, "-c", *words], check=True, capture_output=True, text=True)
        photos, partitions, kilobytes = map(int, planned.stdout.split("planned")[-1].split())
        assert photos == count
        assert partitions > count // 1000
        return kilobytes

    few, more = peak(40_000), peak(120_000)
    a_photo = (more - few) / 80_000
    assert few + 960_000 * a_photo < 400_000, f"{few} kB, {more} kB"


# Bounds as small as the run is, so that what grows beyond them is seen; the imports of what reduce needs come first.
REDUCE = r"""
import sys
from benchmarks.ledgers import committed, peak
from meanface import pipeline
from meanface.results import duplicates, held_labels, label_scan, probes, scan
scan.SAMPLE, duplicates.FACES_COMPARED = 1000, 500
held_labels.HELD_BYTES, held_labels.LABEL_FACES = 1 << 20, 100
label_scan.CHECKED, probes.PROBES = 1000, 1000
photos, output = int(sys.argv[1]), sys.argv[2]
run = committed(output, photos, partitions=8, labels=20)
result = pipeline.reduce(run)
print("\nreduced", result.faces, result.statistics.robust.faces, peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_reduce_of_four_times_the_faces_takes_no_more_memory(tmp_path: Path) -> None:
    """Embeddings of four times as many are 20 MB more."""

    def peak(photos: int) -> int:
        command = [sys.executable, "-c", REDUCE, str(photos), str(tmp_path / str(photos))]
        reduced = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        faces, sampled, after = map(int, reduced.stdout.split("reduced")[-1].split())
        assert (faces, 900 <= sampled <= 1001) == (photos - photos // 8, True)
        return after

    assert peak(60_000) - peak(15_000) < 10_000
