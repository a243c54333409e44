"""Planning a large collection takes little memory: its list is kept in columns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PHOTOS = 1_000_000
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
def test_plan_of_a_million_photos(tmp_path: Path) -> None:
    urls = tmp_path / "urls.csv"
    with urls.open("w") as file:
        file.write("url\n")
        # In another order than by name: 7919 is prime to a million.
        file.writelines(f"https://photos.example/albums/photo-{n * 7919 % PHOTOS:07}.jpg\n" for n in range(PHOTOS))
    command = [sys.executable, "-c", PLAN, str(urls), str(tmp_path / "run")]
    planned = subprocess.run(command, check=True, capture_output=True, text=True)
    photos, partitions, peak = map(int, planned.stdout.split("planned")[-1].split())
    assert (photos, partitions) == (PHOTOS, 1024)
    assert peak < 400_000, f"{peak} kB"
