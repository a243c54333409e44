"""Compare `meanface run` with a plain face_recognition loop, and the DAG with `meanface run`, on the same photos.

Each round measures every contender once, one after the other, so that a slow minute of the machine hits all alike;
ratios are taken within a round. `python -m benchmarks --help` lists the options.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from meanface.dataset import open_dataset, open_photos
from meanface.photolist import PhotoList
from meanface.settings import Settings
from meanface.storage import Storage
from meanface.workers import available_cpus

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="sample", help="photos to measure with, as `meanface run` takes them")
    parser.add_argument("--photos", type=int, default=200, help="how many; a smaller dataset is repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dag", action="store_true", help="also the DAG under a real scheduler, on the whole dataset")
    arguments = parser.parse_args()

    cpus = available_cpus()
    print(f"{platform.processor() or platform.machine()}, {cpus} CPUs, Python {platform.python_version()}")
    with _photos(arguments.dataset, arguments.photos) as folder:
        contenders: dict[str, Callable[[], float]] = {
            "face_recognition loop, 1 process": lambda: _reference(folder),
            "meanface run, 1 worker": lambda: _meanface(folder, 1),
            f"meanface run, {cpus} workers": lambda: _meanface(folder, cpus),
        }
        rounds = [{name: measure() for name, measure in contenders.items()} for _ in range(arguments.rounds)]
    print(
        f"{arguments.photos} photos of {arguments.dataset}, {arguments.rounds} rounds, photos/s: median (spread); ratio"
    )
    first = next(iter(contenders))
    for name in contenders:
        rates = [round_[name] for round_ in rounds]
        ratio = statistics.median(round_[name] / round_[first] for round_ in rounds)
        print(f"  {name:34} {statistics.median(rates):6.1f} ({min(rates):.1f}-{max(rates):.1f})  {ratio:4.1f}x")
    if arguments.dag:
        _compare_dag(arguments.dataset)


@contextmanager
def _photos(dataset: str, count: int) -> Iterator[Path]:
    """A folder with the dataset's first photos, repeated where it has fewer."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photos"
        folder.mkdir()
        storage = Storage(f"{scratch}/storage")
        opened = open_dataset(Settings(dataset=dataset), storage)
        refs = list(PhotoList.sorted(opened.list()))
        with open_photos(opened.source, storage) as source:
            for number in range(count):
                ref = refs[number % len(refs)]
                suffix = Path(ref.name).suffix
                (folder / f"{number:06d}{suffix}").write_bytes(source.read(ref, 10**9))
        yield folder


def _reference(folder: Path) -> float:
    """Photos per second, without the imports."""
    command = [sys.executable, str(ROOT / "benchmarks" / "reference_loop.py"), str(folder)]
    photos, seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(photos) / float(seconds)


def _meanface(folder: Path, workers: int) -> float:
    """Photos per second of the whole command, start-up included."""
    started = time.perf_counter()
    result = _run(str(folder), workers)
    return result["photos"] / (time.perf_counter() - started)


def _run(dataset: str, workers: int) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "meanface.cli", "run", dataset, "--output", output, "--workers", str(workers)]
        subprocess.run(command, check=True, capture_output=True)
        found: dict[str, int] = json.loads((Path(output) / "result.json").read_text())
        return found


def _compare_dag(dataset: str) -> None:
    """Wall time of the DAG, trigger to result with the scheduler up, over that of `meanface run`."""
    if "://" not in dataset and dataset not in ("sample", "lfw"):
        dataset = str(Path(dataset).resolve())
    started = time.perf_counter()
    photos = _run(dataset, available_cpus())["photos"]
    alone = time.perf_counter() - started
    local = [str(ROOT / ".venvs/airflow/bin/python"), str(ROOT / "scripts/local.py")]
    home = tempfile.mkdtemp(prefix="meanface-")
    try:
        command = [*local, "run", "--dataset", dataset]
        environment = os.environ | {"MEANFACE_HOME": home}
        shown = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    finally:
        shutil.rmtree(home, ignore_errors=True)
    times = next(text.removeprefix("time").strip() for text in shown.splitlines() if text.startswith("time"))
    print(f"{photos} photos of {dataset}: meanface run {alone:.0f} s; the DAG {times}")


if __name__ == "__main__":
    main()
