"""Large collections take little memory: a plan's list is kept in columns, and reduce streams the ledger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The kernel's own peak: `ru_maxrss` also counts what the process was before exec, a copy of pytest.
PLAN = r"""
import re, sys
from pathlib import Path
from meanface.run import Run
from meanface.settings import Settings
from meanface.stages import plan
from meanface.storage import Storage
from meanface.store import MemoryStore

dataset, output = sys.argv[1:]
manifest = plan(Run("large", MemoryStore("large"), Storage(output)), Settings(dataset=dataset))
peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]
print("\nplanned", manifest.photos, len(manifest.partitions), peak)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_plan_of_a_million_photos_takes_less_than_400_mb(tmp_path: Path) -> None:
    """By what a photo adds; `make bench-scale` lists the million."""

    def peak(count: int) -> int:
        urls = tmp_path / f"{count}.csv"
        with urls.open("w") as file:
            file.write("url\n")
            # In another order than by name: 7919 has no factor in common with the count.
            file.writelines(f"https://photos.example/albums/photo-{n * 7919 % count:07}.jpg\n" for n in range(count))
        command = [sys.executable, "-c", PLAN, str(urls), str(tmp_path / str(count))]
        planned = subprocess.run(command, check=True, capture_output=True, text=True)
        photos, partitions, kilobytes = map(int, planned.stdout.split("planned")[-1].split())
        assert (photos, partitions) == (count, -(-count // 500))
        return kilobytes

    few, more = peak(50_000), peak(250_000)
    a_photo = (more - few) / 200_000
    assert few + 950_000 * a_photo < 400_000, f"{few} kB, {more} kB"


# Bounds as small as the run is, so that what grows beyond them is seen; the imports of what reduce needs come first.
REDUCE = r"""
import sys
import matplotlib.backends.backend_svg
from benchmarks.ledgers import committed, peak
from meanface import duplicates, stages, study, survey
survey.SAMPLE, study.FACES_COMPARED = 1000, 500
photos, output = int(sys.argv[1]), sys.argv[2]
run = committed(output, photos, partitions=8, labels=20)
result = stages.reduce(run)
print("\nreduced", result.faces, result.statistics.robust.faces, peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_reduce_of_four_times_as_many_faces_takes_no_more(tmp_path: Path) -> None:
    """Embeddings of four times as many are 20 MB more."""

    def peak(photos: int) -> int:
        command = [sys.executable, "-c", REDUCE, str(photos), str(tmp_path / str(photos))]
        reduced = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        faces, sampled, after = map(int, reduced.stdout.split("reduced")[-1].split())
        assert (faces, 900 <= sampled <= 1001) == (photos - photos // 8, True)
        return after

    assert peak(60_000) - peak(15_000) < 10_000
