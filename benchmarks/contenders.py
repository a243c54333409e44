"""Compare meanface with other programs: photos per second and core, start-up, memory.

Each round runs every contender once over few photos and once over many, one after the other, so
that a slow minute of the machine affects all of them. Ratios are computed within a round. All
processes of a contender are confined to its number of processors. Slow contenders get a tenth of
the photos, evenly from all.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ROOT, avx2_cpu
from benchmarks.measure import FEW, Measured, Runs, measure, spread
from benchmarks.photos import read_photos, write_photos
from benchmarks.table import Goal, print_table
from meanface.embedder.detector import usable_kernels
from meanface.system import available_cpus

OTHERS = ROOT / ".cache/bench"
"""virtual environments of contenders with other packages; `make bench-others` creates them"""

SLOW_SHARE = 10
"""slow contenders get one of so many photos"""

WHOLE_PHOTO = {"avx512": 16.0, "avx2": 12.0}
"""the goals, as multiples of `face_recognition`'s rate on one core"""

WITH_START = 2_000, 9.0
"""number of photos, and the goal with start-up included"""


@dataclass(frozen=True)
class Contender:
    """A program that embeds a folder of photos."""

    name: str
    command: Callable[[Path], list[str]]
    """its command line for a folder"""
    cpus: int = 1
    slow: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, folder: Path) -> Measured:
        """Measure the contender over a folder."""
        return measure(self.command(folder), self.environment, self.cpus)


def compare(dataset: str, photos: int, rounds: int) -> list[Goal]:
    """Measure all contenders and print the figures; the goals."""
    if photos // SLOW_SHARE <= FEW:
        raise SystemExit(f"--photos {photos}: at least {(FEW + 1) * SLOW_SHARE} are needed")
    print(
        f"\n{photos:,} photos of {dataset}, {photos // SLOW_SHARE:,} for slow contenders; {rounds} rounds", flush=True
    )
    with tempfile.TemporaryDirectory() as scratch:
        folders = {
            count: write_photos(Path(scratch, str(count)), read_photos(dataset, count))
            for count in (FEW, photos // SLOW_SHARE, photos)
        }
        contenders = [*_others(folders[FEW]), *_meanface(Path(scratch, "results"))]
        found: dict[str, list[Runs]] = {contender.name: [] for contender in contenders}
        for number in range(rounds):
            for contender in contenders:
                share = photos // SLOW_SHARE
                some, count = (FEW, share) if contender.slow else (share, photos)
                taken = {size: contender.run(folders[size]) for size in sorted({FEW, some, count})}
                found[contender.name].append(Runs(taken[FEW], taken[some], taken[count], some, count))
            print(f"  round {number + 1} is done", file=sys.stderr, flush=True)
    _show(contenders, found)
    return _goals(found)


BASELINE = "face_recognition, 1 process"
NULL = "meanface, null embedder, 1 core"


def meanface_name(kernels: str, cpus: int) -> str:
    """Name of the contender `meanface run` with these kernels on so many cores."""
    return f"meanface {kernels}, {cpus} core{'s' * (cpus > 1)}"


def _meanface(results: Path) -> list[Contender]:
    def command(module: str) -> Callable[[Path], list[str]]:
        def run(folder: Path) -> list[str]:
            shutil.rmtree(results, ignore_errors=True)  # otherwise earlier results would be reused
            return [sys.executable, "-m", module, "run", str(folder), "--output", str(results)]

        return run

    run = command("benchmarks.avx2_cpu" if avx2_cpu.confined() else "meanface")
    return [
        *(Contender(meanface_name(_best(), cpus), run, cpus) for cpus in scales()),
        Contender(NULL, command("benchmarks.null_embedder")),
    ]


def scales() -> list[int]:
    """Numbers of cores: 1, 2, 4, ..., and all."""
    every = available_cpus()
    return [*(1 << bit for bit in range(every.bit_length()) if 1 << bit < every), every]


def _others(known: Path) -> list[Contender]:
    """Other programs that can be measured here; prints which cannot, and why."""
    every = available_cpus()

    def loop(name: str, python: Path | str = sys.executable) -> Callable[[Path], list[str]]:
        return lambda folder: [str(python), str(ROOT / f"benchmarks/loops/{name}.py"), str(folder)]

    command = str(Path(sys.executable).with_name("face_recognition"))
    others = [
        Contender(BASELINE, loop("face_recognition_loop"), slow=True),
        Contender(
            f"face_recognition --cpus {every}",
            lambda folder: [command, str(known), str(folder), "--cpus", str(every)],
            every,
            slow=True,
        ),
        Contender(f"multiprocessing.Pool({every})", loop("multiprocessing_pool"), every, slow=True),
    ]
    for name, environment, script in (
        ("DeepFace, Dlib, 1 process", "deepface", "deepface_loop"),
        ("face_recognition, dlib from source, OpenBLAS", "openblas", "face_recognition_loop"),
    ):
        python = OTHERS / environment / "bin/python"
        if (OTHERS / environment / ".ready").exists():
            variables = {
                "DEEPFACE_HOME": str(OTHERS / environment),
                "OPENBLAS_NUM_THREADS": "1",
                "CUDA_VISIBLE_DEVICES": "",
            }
            others.append(Contender(name, loop(script, python), slow=True, environment=variables))
        else:
            print(f"  left out: {name}: {python.parents[1]} does not exist; `make bench-others` creates it")
    return others


def _show(contenders: Sequence[Contender], found: dict[str, list[Runs]]) -> None:
    baseline = found[BASELINE]

    def row(contender: Contender) -> tuple[str, ...]:
        pairs = found[contender.name]
        per_core = [pair.rate / contender.cpus for pair in pairs]
        ratio = [one / other.rate for one, other in zip(per_core, baseline, strict=True)]
        own, *started = (max(peaks) for peaks in zip(*(_two(pair.many.peaks) for pair in pairs), strict=True))
        return (
            contender.name,
            spread([pair.rate for pair in pairs]),
            f"{statistics.median(per_core):,.1f}",
            spread(ratio),
            f"{statistics.median(pair.start for pair in pairs):.1f}",
            f"{own / 1e6:,.0f}",
            f"{started[0] / 1e6:,.0f}",
        )

    head = ("contender", "photos/s", "per core", "ratio per core", "start, s", "peak MB", "of a child")
    print_table("medians (least-most); without start-up", head, map(row, contenders))
    rates = {cpus: [pair.rate for pair in found[meanface_name(_best(), cpus)]] for cpus in scales()}
    scaling = {
        cpus: [many / one for many, one in zip(rate, rates[1], strict=True)] for cpus, rate in rates.items() if cpus > 1
    }
    print_table(
        "scaling of meanface",
        ("cores", "times one core"),
        [(str(cpus), spread(times, 2)) for cpus, times in scaling.items()],
    )


def _goals(found: dict[str, list[Runs]]) -> list[Goal]:
    def median(of: Callable[[Runs, Runs], float], name: str, other: str) -> float:
        return statistics.median(map(of, found[name], found[other]))

    goals, best = [], meanface_name(_best(), 1)
    if _best() in WHOLE_PHOTO:
        ratio = median(lambda own, other: own.rate / other.rate, best, BASELINE)
        what = f"whole photo, {_best()}, times face_recognition per core"
        goals.append(Goal(what, ratio, WHOLE_PHOTO[_best()], "x"))
    photos, bound = WITH_START
    ratio = median(lambda own, other: other.seconds(photos) / own.seconds(photos), best, BASELINE)
    goals.append(Goal(f"{photos:,} photos, {_best()}, start-up included", ratio, bound, "x"))
    two = meanface_name(_best(), 2)
    if two in found:
        ratio = median(lambda own, other: own.rate / other.rate, two, best)
        goals.append(Goal("two cores, times one", ratio, 1.9, "x"))
    start = statistics.median(pair.start for pair in found[meanface_name(_best(), available_cpus())])
    goals.append(Goal(f"a run of {FEW} photos, beyond their own time, all cores", start, 0.5, " s", at_most=True))
    worker = max(_two(pair.many.peaks)[1] for pair in found[best])
    goals.append(Goal("peak memory of a worker process", worker / 1e6, 150, " MB", at_most=True))
    ratio = median(lambda own, other: own.rate / other.rate, NULL, best)
    goals.append(Goal("reading and hand-over, times the embedder, one core", ratio, 10, "x"))
    return goals


def _two(peaks: Sequence[int]) -> tuple[int, int]:
    """The peak memory of a command's own process, and of its largest child process."""
    return peaks[0], max(peaks[1:], default=0)


def _best() -> str:
    return (usable_kernels() or ["dlib"])[0]
