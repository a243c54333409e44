"""Count instructions per photo with callgrind, which no other work on the machine affects.

The count over many photos minus that over few is that of the photos in between. Valgrind does not
support AVX-512: it counts the AVX2 kernels, and ONNX Runtime and dlib as on a CPU without AVX-512.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import ROOT
from benchmarks.measure import FEW
from benchmarks.photos import read_photos, write_photos
from benchmarks.table import Goal, print_table

LOOPS = {"face_recognition": "face_recognition_loop", "meanface avx2, one worker's work": "meanface_loop"}


def instructions(dataset: str) -> list[Goal]:
    """Count and print; two processes at a time, because counting takes as long as 50 runs."""
    if not shutil.which("valgrind"):
        print("\nleft out: instructions per photo: valgrind is not installed (Debian: apt-get install valgrind)")
        return []
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as threads:
        photos = read_photos(dataset, FEW)
        folders = [
            write_photos(Path(scratch, "few"), photos[:1]),
            write_photos(Path(scratch, "many"), [*photos[:1], *photos]),
        ]
        counts = {name: [threads.submit(_counted, loop, folder) for folder in folders] for name, loop in LOOPS.items()}
        each = {name: (many.result() - few.result()) / FEW for name, (few, many) in counts.items()}
    first = next(iter(each.values()))
    print_table(
        f"million instructions a photo, callgrind, {FEW} photos",
        ("contender", "million", "times fewer"),
        [(name, f"{count / 1e6:,.0f}", f"{first / count:.1f}") for name, count in each.items()],
    )
    return []


def _counted(loop: str, folder: Path) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    script = str(ROOT / f"benchmarks/loops/{loop}.py")
    done = subprocess.run([*command, script, str(folder)], capture_output=True, text=True, check=True, cwd=ROOT)
    return int(re.findall(r"Collected : (\d+)", done.stderr)[0])
